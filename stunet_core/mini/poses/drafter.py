"""From what a prompt shows, and when, to drafts: the pose head says where things are, the autoencoder shows them there."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..autoencoder import Autoencoder
from .draft import INSTANCES, drafts
from .drawing import Drawing, decoded
from .given_thing import GivenThing, drafts_of, given_thing, given_whole, gone_on, nearest_path
from .places import in_holes
from .pose_head import PoseHead

SHIFT = 16  # frames, by how much earlier or later than drawn from the seed a given thing may be in its motion


@dataclass(frozen=True)
class PromptThings:
    """What a prompt shows. `words`: 1 p, pooled, without what pictures add; `pictures`: 2 9 12 12; `shown`: bool 2, which there are."""

    words: Tensor
    pictures: Tensor
    shown: Tensor


@dataclass(frozen=True)
class Drafter:
    """The two parts of a mini model that drafts are made with. It is no module: a model that holds it does not own their weights."""

    head: PoseHead
    autoencoder: Autoencoder

    @torch.no_grad()
    def guess(self, words: Tensor, times: Tensor) -> Tensor:
        """Where things are: f 3 5 (`draft.drafts`). words: 1 p, pooled without what pictures add; times: f (`PoseHead.poses`)."""
        weight = next(self.head.parameters())
        with torch.autocast(weight.device.type, enabled=False):  # half a pixel is seen
            return self.head.poses(words[:1].to(weight).expand(len(times), -1), times.to(weight.device))

    @torch.no_grad()
    def drawn(self, poses: Tensor, pictures: Tensor, shown: Tensor, height: int, width: int) -> Tensor:
        """Drafts (f 18 h w) of f frames of height x width cells. poses: f 3 5; pictures: 2 9 12 12; shown: bool 2, which there are."""
        return drafts(poses, self.drawings(pictures, shown), self.encode, height, width)

    def beside_given(self, things: PromptThings, mask: Tensor, given: Tensor, times: Tensor,
                     loop: bool = False) -> tuple[Tensor | None, bool]:
        """Drafts (f 18 h w) of a clip of which something is given: of the first thing in holes; of what whole frames show, if the prompt
        shows one thing; None elsewhere, as what is given says itself where things are.

        mask: f h w, 1 where to generate; given: f c h w; times: f. Returns with them whether nothing stood out in whole given frames.
        """
        hole, whole = in_holes(mask), given_whole(mask)
        if hole is not None:
            return self.in_hole(things.pictures, things.shown, hole, *mask.shape[1:]), False
        if whole is None or things.shown.tolist() != [True, False]:  # the path of none is not known, and of two no one says which was given
            return None, False
        thing = given_thing(whole, given, self.decode)
        return (None, True) if thing is None else (self.of_given(things.words, thing, times, loop), False)

    def in_hole(self, pictures: Tensor, shown: Tensor, hole: Tensor, height: int, width: int) -> Tensor:
        """Drafts (f 18 h w) of a prompt's first thing in the holes of frames, at the poses `hole` (f 5, `places.in_holes`)."""
        poses = torch.zeros(len(hole), INSTANCES, hole.shape[1])
        poses[:, 0] = hole
        return self.drawn(poses, pictures, shown, height, width)

    def of_given(self, words: Tensor, thing: GivenThing, times: Tensor, loop: bool = False) -> Tensor:
        """Drafts (f 18 h w) of the thing that given frames show, along the path that the one thing of a prompt (words: 1 p) would go at
        `times` (f)."""
        shifted = (times + torch.arange(-SHIFT, SHIFT + 1.0)[:, None]).flatten()
        guess = self.guess(words, shifted)[:, 0].to(thing.poses)                               # (n f) 5
        path = nearest_path(guess.unflatten(0, (-1, len(times))), thing)
        return drafts_of(*gone_on(path, thing, loop), thing, self.encode)

    def drawings(self, pictures: Tensor, shown: Tensor) -> list[Drawing | None]:
        """What pictures as the picture encoder takes them (2 9 12 12) show, None where `shown` (bool 2) says that there is none."""
        return [decoded(picture, self.decode) if bool(there) else None for picture, there in zip(pictures, shown, strict=True)]

    def encode(self, pixels: Tensor) -> Tensor:
        """n 3 H W in [-1, 1] -> n 8 h w"""
        return run(self.autoencoder, self.autoencoder.encode, pixels)

    def decode(self, latents: Tensor) -> Tensor:
        """n 8 h w -> n 3 H W, about [-1, 1]"""
        return run(self.autoencoder, self.autoencoder.decode, latents)


@torch.no_grad()
def run(module: nn.Module, part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A part of a module, wherever and of whatever kind its weights are."""
    return part(x.to(next(module.parameters()))).to(x)
