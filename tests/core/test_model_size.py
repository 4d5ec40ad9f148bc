"""Pictures of any size brought to one that the model draws well and that a video can have."""

from __future__ import annotations

import pytest
import torch

from stunet_core.editing import tasks
from stunet_core.editing.model_size import FIT, KEEP, ModelSize, grown, sizing

MINI = ModelSize(256, least=0.6, most=1.6)
LARGE = ModelSize(512, least=0.0, most=2.25)


@pytest.mark.parametrize(("size", "target"), [
    ((256, 256), (256, 256)), ((384, 256), (384, 256)), ((3024, 4032), (224, 288)), ((384, 384), (256, 256)), ((128, 128), (256, 256)),
    ((255, 257), (254, 256)), ((4000, 100), (1616, 48)),
])
def test_what_the_mini_model_does_not_draw_well_is_scaled(size: tuple[int, int], target: tuple[int, int]) -> None:
    assert sizing(*size, FIT, MINI).target == target


@pytest.mark.parametrize(("size", "target"), [((256, 256), (256, 256)), ((768, 512), (768, 512)), ((3024, 4032), (448, 592))])
def test_other_models_are_only_kept_from_what_is_far_too_large(size: tuple[int, int], target: tuple[int, int]) -> None:
    assert sizing(*size, FIT, LARGE).target == target


@pytest.mark.parametrize(("size", "target"), [((127, 95), (126, 94)), ((3024, 4032), (3024, 4032)), ((1, 8), (2, 8))])
def test_kept_pictures_lose_no_more_than_an_odd_edge(size: tuple[int, int], target: tuple[int, int]) -> None:
    for choice, known in ((KEEP, MINI), (FIT, None)):
        assert sizing(*size, choice, known).target == target
    with pytest.raises(ValueError, match="size: 'huge' is none of fit the model, keep"):
        sizing(*size, "huge", MINI)


def test_masks_go_with_their_pictures() -> None:
    picture, mask = torch.zeros(2, 512, 384, 3), torch.zeros(1, 512, 384)
    picture[:, 128:256, 96:288], mask[:, 128:256, 96:288] = 1, 1
    how = sizing(384, 512, FIT, MINI)
    small, white = how.pictures(picture), how.mask(mask)
    assert small.shape[1:3] == white.shape[1:3] == how.target[::-1]
    assert torch.allclose(small[0, ..., 0], white[0], atol=1e-6)
    assert float(white.mean()) == pytest.approx(float(mask.mean()), abs=0.02)


@pytest.mark.parametrize("size", [(128, 128), (127, 95), (300, 200), (256, 256)])
@pytest.mark.parametrize("margins", [(0, 0, 64, 0), (21, 0, 22, 0), (3, 5, 0, 0), None])
@pytest.mark.parametrize("choice", [FIT, KEEP])
def test_a_clip_with_margins_has_even_sides_and_all_of_the_clip(size: tuple[int, int], margins: tuple | None, choice: str) -> None:
    """The issue's own: 4:3 of 128x128 was 171x128."""
    how, new = grown(*size, margins or tasks.margins(*size, 4 / 3), choice, MINI)
    width, height = how.target[0] + new[0] + new[2], how.target[1] + new[1] + new[3]
    assert width % 2 == height % 2 == 0 and min(new) >= 0
    if choice == FIT and how.scaled:
        assert width % 16 == height % 16 == 0 and 0.8 < width * height / 256**2 < 1.25
    clip = torch.rand(1, *size[::-1], 3)
    if any(new):
        task = tasks.outpaint(how.pictures(clip), *new)
        assert task.given.shape[1:3] == (height, width)
        assert int(task.keep[0].sum()) == how.target[0] * how.target[1]
