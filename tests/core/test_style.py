"""Statistics of styles: what is matched, what stays, and pictures of every kind brought to one size."""

from __future__ import annotations

import pytest
import torch

from stunet_core.editing.fit_pictures import FITS, as_rgb, fit
from stunet_core.guidance.style import Moments, Seen, adain, palette, read_weights, repaint, roots, shared


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_adain_gives_the_moments_of_the_reference() -> None:
    x, reference = random(3, 20, 8), random(3, 12, 8, seed=1) * 2 + 3
    moved = Moments.of(adain(x, Moments.of(reference)))
    for got, wanted in zip(moved, Moments.of(reference), strict=True):
        assert torch.allclose(got, wanted, atol=1e-3)
    assert torch.allclose(adain(x, Moments.of(x)), x, atol=1e-4), "its own moments change nothing"


def test_every_frame_sees_the_reference_of_its_conditioning() -> None:
    q, k, v = (random(2 * 3, 4, 8, seed=i) for i in range(3))  # (b r) n c
    one = Seen.of(q, k, v, references=3).one(1, frames=5)
    assert one.k.shape == (10, 4, 8)
    assert torch.equal(one.k[0], k[1]) and torch.equal(one.k[4], k[1]) and torch.equal(one.k[5], k[4])
    frames = [random(10, 7, 8, seed=i) for i in range(3)]
    seen = shared(frames[0], frames[1], frames[2], one)
    assert [t.shape[1] for t in seen] == [7, 11, 11]
    assert torch.equal(seen[2], torch.cat([frames[2], one.v], dim=1))


def test_repainting_gives_mean_and_covariance_over_the_whole_clip() -> None:
    mix = random(4, 4, seed=2)
    reference = torch.einsum("cd,fdhw->fchw", mix, random(2, 4, 16, 16, seed=3)) + 1
    clip = random(5, 4, 8, 8) * torch.tensor([1.0, 2.0, 0.5, 1.0])[:, None, None]
    wanted = palette(reference)
    for got, want in zip(palette(repaint(clip, wanted)), wanted, strict=True):
        assert torch.allclose(got, want, atol=1e-3)
    assert torch.allclose(repaint(clip, palette(clip)), clip, atol=1e-4)
    assert torch.equal(repaint(clip, wanted, 0.0), clip)


def test_repainting_a_flat_clip_is_finite_and_takes_the_mean() -> None:
    wanted = palette(random(1, 4, 8, 8) + 2)
    painted = repaint(torch.zeros(3, 4, 8, 8), wanted)
    assert torch.allclose(painted.mean(dim=(0, 2, 3)), wanted[0].float(), atol=1e-5)


def test_roots() -> None:
    a = random(4, 4).double()
    root, inverse = roots(a @ a.mT)
    assert torch.allclose(root @ root, a @ a.mT)
    assert torch.allclose(root @ inverse, torch.eye(4, dtype=torch.float64), atol=1e-6)


def test_palettes_of_several_references_are_weighted() -> None:
    references = torch.stack([torch.zeros(4, 8, 8), torch.ones(4, 8, 8)])
    assert palette(references, (0.25, 0.75))[0].tolist() == [0.75] * 4


def test_weights_are_shares() -> None:
    assert read_weights("", 4) == (0.25,) * 4
    assert read_weights(" 3, 1 ", 2) == (0.75, 0.25)
    for text, said in (("1, x", "give numbers"), ("1, 2, 3", "3 of them for 2"), ("-1, 2", "0 or more"), ("0, 0", "more than 0"),
                       ("nan, 1", "0 or more"), ("1, inf", "0 or more")):
        with pytest.raises(ValueError, match=f"weights: .*{said}"):
            read_weights(text, 2)


def test_grey_and_transparent_pictures_become_colour_pictures() -> None:
    grey = torch.rand(1, 5, 6, 1)
    assert torch.equal(as_rgb("image", grey), grey.repeat(1, 1, 1, 3))
    clear = torch.cat([torch.rand(1, 5, 6, 3), torch.zeros(1, 5, 6, 1)], dim=-1)
    assert torch.equal(as_rgb("image", clear), torch.ones(1, 5, 6, 3)), "what is transparent is white"
    with pytest.raises(ValueError, match="image: has 2 channels"):
        as_rgb("image", torch.rand(1, 5, 6, 2))
    with pytest.raises(ValueError, match="image: its values are"):
        as_rgb("image", torch.full((1, 5, 6, 3), 255.0))


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (9, 200), (333, 21)])
def test_any_size_fits(how: str, size: tuple[int, int]) -> None:
    pictures = torch.rand(2, *size, 3)
    fitted = fit(pictures, 64, 48, how)
    assert fitted.shape == ((2, -(-size[0] // 8) * 8, -(-size[1] // 8) * 8, 3) if how == "own size" else (2, 64, 48, 3))
    assert fitted.min() >= 0 and fitted.max() <= 1


def test_crop_keeps_the_middle_and_pad_keeps_everything() -> None:
    wide = torch.zeros(1, 16, 32, 3)
    wide[:, :, 8:24] = 1  # the middle half is white
    assert torch.equal(fit(wide, 16, 16, "crop"), torch.ones(1, 16, 16, 3))
    padded = fit(wide, 32, 32, "pad")
    assert torch.equal(padded[:, 8:24], wide)
    assert torch.equal(padded[:, 0], wide[:, 0])
    with pytest.raises(ValueError, match="fit: 'squeeze' is none of crop"):
        fit(wide, 16, 16, "squeeze")
