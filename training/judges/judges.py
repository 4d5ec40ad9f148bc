"""The judges: small classifiers of rendered frames and clips, used only to say what a generated clip shows.

One network looks at single frames (object, style, background, colour, and where the things are), one at whole clips (motion, camera), one
at single things cut out of frames (whether they look like a picture). `training/stages/judges.py` trains them on the renderer and records
their own accuracy on held-out scenes.
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

from ..world import COLOURS, OBJECT_NAMES
from .each_alone import each_alone
from .kinematics import Track
from .looks import Gallery, cut, embed, gallery
from .nets import CLIP_FRAMES, CLIP_SIZE, MASK, SIZE, FrameJudge, LooksJudge, MotionJudge

WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "judges.safetensors"
CHUNK = 64  # frames judged at once


def to_input(frames: np.ndarray) -> Tensor:
    """... h w 3 uint8 -> ... 3 h w in [-1, 1]"""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def cut_out(small: Tensor, mask: Tensor) -> Tensor:
    """... 3 32 32 in [-1, 1] and where things are (... h w, 0 to 1) -> ... 5 32 32: no background, the mask, and all in grey"""
    mask = F.interpolate(mask.flatten(0, -3)[:, None], size=small.shape[-2:], mode="bilinear", antialias=True)
    mask = mask.view(*small.shape[:-3], 1, *small.shape[-2:])
    return torch.cat([small * mask, mask * 2 - 1, small.mean(-3, keepdim=True)], dim=-3)


def shrink_clip(clip: np.ndarray) -> np.ndarray:
    """F h w 3 uint8 -> 40 32 32 3 uint8: frames spread evenly over the clip, pixels averaged."""
    if clip.ndim != 4 or clip.shape[3] != 3 or clip.dtype != np.uint8:
        raise ValueError(f"clip: needs uint8 frames of shape [F, H, W, 3], got {clip.dtype} {list(clip.shape)}")
    index = np.arange(CLIP_FRAMES) * len(clip) // CLIP_FRAMES
    small = F.interpolate(to_input(clip[index]), size=(CLIP_SIZE, CLIP_SIZE), mode="area")
    return ((small + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()


@dataclass(frozen=True)
class Verdict:
    """What frames show: logits object [n, objects], style [n, 4], background [n, 25], colour [n, 13]; mask [n, 24, 24], probabilities."""

    object: np.ndarray
    style: np.ndarray
    background: np.ndarray
    colour: np.ndarray
    mask: np.ndarray

    def colours(self) -> list[str]:
        """The colour of `COLOURS` that the thing of each frame has most likely been painted in, if in any."""
        return [tuple(COLOURS)[int(best)] for best in self.colour[:, :len(COLOURS)].argmax(axis=1)]


@dataclass
class Judges:
    """The networks, the names of the objects they know, and what they scored on held-out scenes."""

    frame: FrameJudge
    motion: MotionJudge
    objects: tuple[str, ...]
    accuracy: dict[str, float] = field(default_factory=dict)
    looks: LooksJudge = field(default_factory=LooksJudge)

    @torch.no_grad()
    def look(self, frames: np.ndarray) -> Verdict:
        """Judge frames [n, h, w, 3] uint8 RGB; other sizes than 96 are resampled. ValueError for another shape or type."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not len(frames):
            raise ValueError(f"frames: needs uint8 RGB [n, h, w, 3], n > 0, got {frames.dtype} {list(frames.shape)}")
        self.frame.eval()
        parts: list[dict[str, Tensor]] = []
        for part in to_input(frames).split(CHUNK):
            if part.shape[-2:] != (SIZE, SIZE):
                part = F.interpolate(part, size=(SIZE, SIZE), mode="bilinear", antialias=True)
            parts.append(self.frame(part))
        out = {name: torch.cat([part[name] for part in parts]).float().numpy() for name in parts[0]}
        return Verdict(out["object"], out["style"], out["background"], out["colour"], 1 / (1 + np.exp(-out["mask"])))

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
    def watch(self, clips: Sequence[np.ndarray] | np.ndarray) -> dict[str, np.ndarray]:
        """Logits motion [n, 12] and camera [n, 7] of clips, each [F, h, w, 3] uint8 RGB and five seconds long."""
        self.motion.eval()
        logits = []
        for clip in clips:
            small = to_input(shrink_clip(clip))
            mask = torch.from_numpy(self.look(clip[np.arange(CLIP_FRAMES) * len(clip) // CLIP_FRAMES]).mask)
            logits.append(self.motion(cut_out(small, mask.float())[None]))
        return {name: torch.cat([one[name] for one in logits]).numpy() for name in logits[0]}

    def motions(self, clips: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Motion logits [n, 12] of clips."""
        return self.watch(clips)["motion"]

    def nearest(self, frames: np.ndarray, among: Gallery) -> list[str]:
        """Of the things whose pictures are in a gallery, the one that the thing of each frame [n, h, w, 3] uint8 looks most like."""
        masks = self.look(frames).mask
        return among.nearest(embed(self.looks, [cut(frame, mask) for frame, mask in zip(frames, masks, strict=True)]))

    def gallery(self, names: Sequence[str], style: str) -> Gallery:
        """The pictures of things in a style, to look for the nearest among."""
        return gallery(self.looks, names, style)

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

    def parts(self) -> dict[str, nn.Module]:
        return {"frame": self.frame, "motion": self.motion, "looks": self.looks}

    def save(self, path: Path, record: dict[str, str] | None = None) -> None:
        """Write bf16 weights, with the objects, the accuracy and a training record in the metadata."""
        state = {f"{part}.{name}": value.detach().to(torch.bfloat16).contiguous()
                 for part, net in self.parts().items()
                 for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
        metadata = {"judges": json.dumps({"objects": self.objects, "accuracy": self.accuracy, **(record or {})})}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, str(path), metadata)

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Judges":
        """Read what `save` wrote. FileNotFoundError without a file, ValueError for a file that holds no judges."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: train the judges with `run.py train judges`")
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
        for part, net in judges.parts().items():
            own = {name.removeprefix(part + "."): value for name, value in state.items() if name.startswith(part + ".")}
            try:
                missing, unexpected = net.load_state_dict(own, strict=False)
            except RuntimeError as error:
                detail = str(error).splitlines()[-1].strip()
                raise ValueError(f"{path.name}: the {part} judge's weights are of another version ({detail})") from error
            missing = [name for name in missing if not name.endswith("num_batches_tracked")]
            if missing or unexpected:
                raise ValueError(f"{path.name}: the {part} judge's weights do not fit: {missing + unexpected}")
        return judges


def new_judges(objects: Sequence[str]) -> Judges:
    return Judges(FrameJudge(len(objects)), MotionJudge(), tuple(objects))
