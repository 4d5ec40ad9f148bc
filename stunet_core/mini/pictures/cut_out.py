"""Cut a thing out of its picture: by a mask, or from the plain ground that it stands on."""

import cv2
import numpy as np

LARGEST = 2048   # pixels along the longer side that are looked at; larger pictures are scaled down
SMALLEST = 16    # pixels along the longer side of a thing: less is no drawing
RIM = 0.01       # of the shorter side, the width of the border that the ground is told from
PLAIN = 0.6      # share of the border that must look alike
APART = 14, 40   # levels of 255 by which a pixel of the thing differs from the ground, least and most (on a noisy ground)
SPECK = 0.002    # of the thing, parts smaller than this are dust
ROUND = 0.98     # of the picture, a thing that covers more has no ground round it
SHAPE = 0.03     # by which a mask's shape may differ from the picture's
FRAMED = 0.95    # share of the border that is white in a mask of what is round the thing


def cut_out(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The thing of a picture, cropped: float32 [h, w, 4], its colours times its coverage, and the coverage, all 0 to 1.

    Args:
        image: float [H, W, 3], 0 to 1.
        mask: float [h, w], 1 where the thing is, of the picture's shape and any size. Without it the ground must be plain.

    Raises:
        ValueError: naming the input, when there is no thing, when it is too small, or when nothing says where it is.
    """
    height, width = image.shape[:2]
    if max(height, width) < SMALLEST:
        raise ValueError(f"image: is {width}x{height} pixels, too small to see a thing in; give a picture of at least {SMALLEST} pixels, "
                         "better 200 or more")
    if mask is not None:
        check_mask(mask, height, width)
    image = smaller(np.ascontiguousarray(image, np.float32).clip(0, 1))
    if mask is None:
        cut = from_ground(image)
    else:
        size = image.shape[1], image.shape[0]
        how = cv2.INTER_AREA if mask.shape[0] > size[1] else cv2.INTER_LINEAR
        coverage = cv2.resize(np.ascontiguousarray(mask, np.float32).clip(0, 1), size, interpolation=how)[..., None]
        cut = np.concatenate([image * coverage, coverage], axis=2)
    rows, columns = (np.flatnonzero((cut[..., 3] >= 0.5).any(axis=axis)) for axis in (1, 0))
    cut = cut[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1] if len(rows) else cut[:0]
    if max(cut.shape[:2]) < SMALLEST:
        found = f"is {cut.shape[1]}x{cut.shape[0]} pixels" if len(rows) else "is nowhere more than half"
        raise ValueError(f"{'image' if mask is None else 'mask'}: the thing {found}, too small to be seen; give one of at least {SMALLEST} "
                         "pixels, better 200 or more")
    return cut


def check_mask(mask: np.ndarray, height: int, width: int) -> None:
    """Raises ValueError for a mask that says nothing, that says where the thing is not, or of another shape than the picture."""
    low, high = float(mask.min()), float(mask.max())
    if not (low >= 0 and high <= 1):  # NaN is in neither
        raise ValueError(f"mask: its values run from {low:g} to {high:g}; give 0 (background) to 1 (the thing)")
    if high < 0.5:
        raise ValueError("mask: is black everywhere, so there is no thing; white is the thing. Load Image gives such a mask for a picture "
                         "without transparency: paint the thing in the mask editor, or leave the mask out if the background is plain")
    if low >= 0.5:
        raise ValueError("mask: is white everywhere, and white is the thing; leave the mask out if the background is plain, or paint only "
                         "the thing")
    tall, wide = mask.shape
    if not 1 - SHAPE <= (wide / tall) / (width / height) <= 1 / (1 - SHAPE):
        raise ValueError(f"mask: is {wide}x{tall} pixels, of another shape than the picture, which is {width}x{height}; give the mask of "
                         "this picture")
    if (np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]) >= 0.5).mean() > FRAMED:
        raise ValueError("mask: is white all along the picture's border, so it shows what is round the thing, as Load Image's mask of a "
                         "transparent picture does; put InvertMask before it: white is the thing")


def smaller(image: np.ndarray) -> np.ndarray:
    """The picture, scaled down if it is larger than is looked at."""
    by = LARGEST / max(image.shape[:2])
    if by >= 1:
        return image
    height, width = (max(1, round(side * by)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def from_ground(image: np.ndarray) -> np.ndarray:
    """[h, w, 4] as `cut_out` has it: what differs from the plain ground, and what it encloses. The ground reaches the border.

    Edges that are half thing, half ground lose the ground's colour. Raises ValueError for a busy ground and for nothing on it.
    """
    ground, apart = plain_ground(image)
    unlike = np.abs(image - ground).max(axis=2)
    open_to_border = np.pad((unlike < apart).astype(np.uint8), 1, constant_values=1)
    _, parts = cv2.connectedComponents(open_to_border, connectivity=4)
    solid = without_specks(parts[1:-1, 1:-1] != parts[0, 0])
    if not solid.any():
        raise ValueError("image: shows nothing but its background; give a picture of a thing, or a mask that says where it is")
    if solid.mean() > ROUND:
        raise ValueError("image: no plain background is round the thing; give a picture with some, or a mask: white is the thing")
    near, core = (function(solid.astype(np.uint8), np.ones((3, 3), np.uint8)) for function in (cv2.dilate, cv2.erode))
    most = cv2.dilate(unlike * solid, np.ones((5, 5), np.uint8))
    coverage = np.where(core, 1, np.where(near, (unlike / np.maximum(most, 1e-3)).clip(0, 1), 0)).astype(np.float32)[..., None]
    colours = (image - (1 - coverage) * ground).clip(0, coverage)
    return np.concatenate([colours, coverage], axis=2)


def plain_ground(image: np.ndarray) -> tuple[np.ndarray, float]:
    """(the ground everywhere, h w 3, as the border goes on: even, or lighter towards a side; by how much a thing differs from it).

    Raises ValueError when most of the border does not look alike.
    """
    height, width = image.shape[:2]
    rim = max(1, round(RIM * min(height, width)))
    border = np.ones((height, width), bool)
    border[rim:-rim, rim:-rim] = False
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    plane = np.stack([np.ones_like(x), x, y], axis=2)
    seen, where = image[border], plane[border]
    fitted = np.zeros((3, 3))
    fitted[0] = np.median(seen, axis=0)
    for _ in range(4):  # robust: what is unlike the rest, such as a thing that touches the border, is left out
        off = np.abs(seen - where @ fitted).max(axis=1)
        alike = off <= max(np.median(off) * 3, APART[0] / 255)
        fitted = np.linalg.lstsq(where[alike], seen[alike], rcond=None)[0]
    off = np.abs(seen - where @ fitted).max(axis=1)
    apart = float(np.clip(4 * np.median(off), APART[0] / 255, APART[1] / 255))
    if (off < apart).mean() < PLAIN:
        raise ValueError("image: its background is not plain, so what of it is the thing cannot be told; give a mask: white is the thing. "
                         "Load Image's mask editor paints one (right click)")
    return (plane @ fitted).astype(np.float32), apart


def without_specks(solid: np.ndarray) -> np.ndarray:
    """A mask without parts as small as dust."""
    _, parts, sizes, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    kept = sizes[:, cv2.CC_STAT_AREA] >= max(4.0, SPECK * float(solid.sum()))
    kept[0] = False
    return kept[parts]
