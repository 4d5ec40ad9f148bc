"""The skeleton that training begins with: Lumiere's arrangement, new; or what is in a file, ours or a motion module."""

from dataclasses import replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from stunet_core.checkpoints.weights import load_skeleton
from stunet_core.model import strides
from stunet_core.model.layout import Layout
from stunet_core.model.skeleton import Skeleton, lumiere

from .image_model import ImageModel

JOINT = 4096  # frames x cells at the coarsest level up to which attention runs over space and time together


def new_skeleton(image: ImageModel, preset: str, frames: int, size: int) -> Skeleton:
    """Lumiere's arrangement for `image`; it makes of a clip of one repeated frame what the image model makes of the frame."""
    ratios = strides.ratios(preset, image.layout.levels - 1)
    coarsest = (frames // prod(ratios)) * (size // image.multiple) ** 2
    return Skeleton(lumiere(image.layout, ratios, pooled_channels=image.pooled_channels, joint=coarsest <= JOINT,
                            model=image.name))


def skeleton_from(path: Path, image: ImageModel, preset: str | None) -> Skeleton:
    """The skeleton in `path`, in float32, with other time strides if `preset` names some: what resamples time is then new."""
    found = load_skeleton(path)
    check(path, found, image.layout, image.name)
    ratios = found.config.ratios if preset is None else strides.ratios(preset, image.layout.levels - 1)
    skeleton = Skeleton(replace(found.config, ratios=ratios))
    own = skeleton.state_dict()
    skeleton.load_state_dict(own | {name: tensor.float() for name, tensor in found.state_dict().items() if name in own})
    return skeleton


def check(path: Path, skeleton: Skeleton, layout: Layout, name: str) -> None:
    try:
        skeleton.config.check_fits(layout, name)
    except ValueError as error:
        raise ValueError(f"init: {path.name}: {error}") from error


def signal(skeleton: Skeleton, image: ImageModel) -> Tensor:
    """The noise schedule to train on: a motion module's own where it has one, as it is then sampled on; else the model's."""
    motion = skeleton.config.motion
    if motion is None or motion.betas is None:
        return image.bars
    kind, first, last = motion.betas
    power = 1.0 if kind == "linear" else 0.5
    betas = torch.linspace(first**power, last**power, len(image.bars), dtype=torch.float64) ** (1 / power)
    return torch.cumprod(1 - betas, dim=0).float()
