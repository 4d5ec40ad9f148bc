"""The judges: small classifiers of rendered frames and clips, used only to say what a generated clip shows.

One network looks at single frames (object, style, background, and where the things are), one at whole clips (motion).
They are trained on the renderer by `judges/train.py`, which also records their own accuracy on held-out scenes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..world import BACKGROUNDS, MOTIONS, OBJECT_NAMES, STYLES
from .each_alone import each_alone
from .kinematics import Track

WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "judges.safetensors"
SIZE = 128  # of the frames a FrameJudge sees
CLIP_FRAMES, CLIP_SIZE = 40, 32  # what a MotionJudge sees: every second of 80 frames, small
MASK = 32  # side of the mask a FrameJudge draws
CHUNK = 64  # frames judged at once


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        nn.init.zeros_(self.body[4].weight)

    def forward(self, h: Tensor) -> Tensor:
        return F.relu(h + self.body(h))


def halve(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
        Residual(outside))


class FrameJudge(nn.Module):
    """n 3 128 128 in [-1, 1] -> logits: object (n objects), style (n 4), background (n 17), mask (n 32 32).

    The mask is of all things together.
    """

    def __init__(self, objects: int, width: int = 32):
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.stem = nn.Sequential(
            nn.Conv2d(3, a, 7, stride=4, padding=3, bias=False), nn.BatchNorm2d(a), nn.ReLU(), Residual(a))  # n a 32 32
        self.middle = halve(a, b)                                                                            # n b 16 16
        self.deep = nn.Sequential(halve(b, c), Residual(c))                                                  # n c 8 8
        self.heads = nn.ModuleDict({
            "object": nn.Linear(2 * c, objects),
            "style": nn.Linear(2 * c, len(STYLES)),
            "background": nn.Linear(2 * c, len(BACKGROUNDS))})
        self.mask = nn.ModuleList([nn.Conv2d(channels, 16, 1) for channels in (a, b, c)])
        self.draw = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.stem(x)
        middle = self.middle(fine)
        deep = self.deep(middle)
        pooled = torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], dim=1)
        out = {name: head(pooled) for name, head in self.heads.items()}
        seen = [F.interpolate(conv(h), size=(MASK, MASK), mode="nearest")
                for conv, h in zip(self.mask, (fine, middle, deep), strict=True)]
        out["mask"] = self.draw(F.relu(sum(seen)))[:, 0]
        return out


class MotionJudge(nn.Module):
    """n 40 4 32 32 -> motion logits (n 12). Space first, frame by frame with a little time; then time alone.

    The four channels are `cut_out`'s: the things without their background, and where they are.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.space = nn.Sequential(
            nn.Conv3d(4, a, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1), bias=False), nn.BatchNorm3d(a), nn.ReLU(),
            nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU(),  # n b 40 8 8
            nn.Conv3d(b, b, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU(),  # n b 40 4 4
            nn.Conv3d(b, 2 * c, (1, 4, 4), bias=False), nn.BatchNorm3d(2 * c), nn.ReLU())               # n 2c 40 1 1
        self.time = nn.Sequential(
            nn.Conv1d(2 * c, c, 5, padding=2, bias=False), nn.BatchNorm1d(c), nn.ReLU(),
            nn.Conv1d(c, c, 5, padding=2, stride=2, bias=False), nn.BatchNorm1d(c), nn.ReLU(),
            nn.Conv1d(c, c, 5, padding=2, stride=2, bias=False), nn.BatchNorm1d(c), nn.ReLU())          # n c 10
        self.head = nn.Linear(2 * c, len(MOTIONS))

    def forward(self, x: Tensor) -> Tensor:
        h = self.time(self.space(x.transpose(1, 2)).flatten(2))
        return self.head(torch.cat([h.mean(2), h.amax(2)], dim=1))


def to_input(frames: np.ndarray) -> Tensor:
    """... h w 3 uint8 -> ... 3 h w in [-1, 1]"""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def cut_out(small: Tensor, mask: Tensor) -> Tensor:
    """... 3 32 32 in [-1, 1] and where things are (... 32 32, 0 to 1) -> ... 4 32 32: no background, and the mask"""
    mask = mask.unsqueeze(-3)
    return torch.cat([small * mask, mask * 2 - 1], dim=-3)


def shrink_clip(clip: np.ndarray) -> np.ndarray:
    """F h w 3 uint8 -> 40 32 32 3 uint8: frames spread evenly over the clip, pixels averaged."""
    if clip.ndim != 4 or clip.shape[3] != 3 or clip.dtype != np.uint8:
        raise ValueError(f"clip: needs uint8 frames of shape [F, H, W, 3], got {clip.dtype} {list(clip.shape)}")
    index = np.arange(CLIP_FRAMES) * len(clip) // CLIP_FRAMES
    small = F.interpolate(to_input(clip[index]), size=(CLIP_SIZE, CLIP_SIZE), mode="area")
    return ((small + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()


@dataclass(frozen=True)
class Verdict:
    """What frames show: logits object [n, objects], style [n, 4], background [n, 17]; mask [n, 32, 32],
    probabilities.
    """

    object: np.ndarray
    style: np.ndarray
    background: np.ndarray
    mask: np.ndarray


@dataclass
class Judges:
    """Both networks, the names of the objects they know, and what they scored on held-out scenes."""

    frame: FrameJudge
    motion: MotionJudge
    objects: tuple[str, ...]
    accuracy: dict[str, float] = field(default_factory=dict)

    @torch.no_grad()
    def look(self, frames: np.ndarray) -> Verdict:
        """Judge frames [n, h, w, 3] uint8 RGB; other sizes than 128 are resampled. ValueError for another shape or
        type.
        """
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
            raise ValueError(f"frames: needs uint8 RGB [n, h, w, 3], n > 0, got {frames.dtype} {list(frames.shape)}")
        self.frame.eval()
        parts: list[dict[str, Tensor]] = []
        for part in to_input(frames).split(CHUNK):
            if part.shape[-2:] != (SIZE, SIZE):
                part = F.interpolate(part, size=(SIZE, SIZE), mode="bilinear", antialias=True)
            parts.append(self.frame(part))
        out = {name: torch.cat([part[name] for part in parts]).float().numpy() for name in parts[0]}
        return Verdict(out["object"], out["style"], out["background"], 1 / (1 + np.exp(-out["mask"])))

    def found(self, frames: np.ndarray, whole: Verdict, things: Sequence[int]) -> list[frozenset[int]]:
        """The objects that each of the frames [n, h, w, 3] uint8 shows, by number; `whole`: what `look` says of them; `things`, 1 or
        2, says how many to look for in it. Of two, each is looked at alone (`each_alone.py`).
        """
        objects = [frozenset({int(logits.argmax())}) for logits in whole.object]
        pairs = [n for n, count in enumerate(things) if count == 2]
        if pairs:
            alone = self.look(np.concatenate([each_alone(frames[n], whole.mask[n]) for n in pairs])).object.argmax(axis=1)
            for n, both in zip(pairs, alone.reshape(-1, 2).tolist(), strict=True):
                objects[n] = frozenset(both)
        return objects

    @torch.no_grad()
    def motions(self, clips: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Motion logits [n, 12] of clips, each [F, h, w, 3] uint8 RGB and five seconds long."""
        self.motion.eval()
        logits = []
        for clip in clips:
            small = to_input(shrink_clip(clip))
            mask = torch.from_numpy(self.look(clip[np.arange(CLIP_FRAMES) * len(clip) // CLIP_FRAMES]).mask)
            logits.append(self.motion(cut_out(small, mask.float())[None]).numpy())
        return np.concatenate(logits)

    def follow(self, frames: np.ndarray) -> Track:
        """Where the things are through time: frames [F, h, w, 3] uint8; the middle of all that a frame shows."""
        mask = self.look(frames).mask
        mask = np.where(mask > 0.5, mask, 0.0)
        weight = mask.sum((1, 2))
        grid = (np.arange(MASK) + 0.5) / MASK
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = (mask * grid).sum((1, 2)) / weight, (mask * grid[:, None]).sum((1, 2)) / weight
        return Track(np.stack([x, y], axis=1), weight / MASK**2)

    def track(self, frames: np.ndarray) -> np.ndarray:
        """The middle of the things through time: frames [F, h, w, 3] uint8 -> [F, 2] (x, y) in pixels, pixel i covering
        [i, i + 1); NaN where a frame shows nothing."""
        return self.follow(frames).centre * (frames.shape[2], frames.shape[1])

    def save(self, path: Path, record: dict[str, str] | None = None) -> None:
        """Write bf16 weights, with the objects, the accuracy and a training record in the metadata."""
        state = {f"{part}.{name}": value.detach().to(torch.bfloat16).contiguous()
                 for part, net in (("frame", self.frame), ("motion", self.motion))
                 for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
        metadata = {"judges": json.dumps({"objects": self.objects, "accuracy": self.accuracy, **(record or {})})}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, str(path), metadata)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Judges":
        """Read what `save` wrote. FileNotFoundError without a file, ValueError for a file that holds no judges."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: train the judges with `python -m training.judges.train`")
        try:
            with safe_open(str(path), "pt") as file:
                found = json.loads((file.metadata() or {})["judges"])
                state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{path.name} holds no judges (no readable metadata `judges`)") from error
        objects = tuple(found["objects"])
        unknown = set(objects) - set(OBJECT_NAMES)
        if unknown:
            raise ValueError(f"{path.name} judges objects that the world does not have: {', '.join(sorted(unknown))}")
        judges = cls(FrameJudge(len(objects)), MotionJudge(), objects, found["accuracy"])
        for part, net in (("frame", judges.frame), ("motion", judges.motion)):
            own = {name.removeprefix(part + "."): value for name, value in state.items() if name.startswith(part + ".")}
            missing, unexpected = net.load_state_dict(own, strict=False)
            missing = [name for name in missing if not name.endswith("num_batches_tracked")]
            if missing or unexpected:
                raise ValueError(f"{path.name}: the {part} judge's weights do not fit: {missing + unexpected}")
        return judges


def new_judges(objects: Sequence[str]) -> Judges:
    return Judges(FrameJudge(len(objects)), MotionJudge(), tuple(objects))
