"""Whether tensors are what a module needs: every name, shape and kind, and numbers that trained weights can have."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .tensor_file import DAMAGED, short

SMALL_FLOATS = tuple(getattr(torch, name) for name in ("float8_e4m3fn", "float8_e5m2") if hasattr(torch, name))
KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, *SMALL_FLOATS)
LARGEST = 1e4  # no trained weight is as large: a flipped bit, or another kind of number read as this one

Shape = Sequence[int]


def check_tensors(expected: Mapping[str, Shape], tensors: Mapping[str, Tensor], path: Path, *, others: bool = False) -> None:
    """Hold a file's tensors against what a module needs.

    Args:
        expected: the shape of every tensor that must be there, by its name in the file.
        tensors: what the file has.
        others: whether it may have more than that.

    Raises:
        ValueError: naming the file, the tensor and what to do, when one is missing, of another shape or kind, or holds no numbers.
    """
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise ValueError(f"{path}: {len(missing)} of its {len(expected)} tensors {'is' if len(missing) == 1 else 'are'} missing, such as "
                         f"{short(missing[0])}; the file was cut short, altered, or is of another version: {DAMAGED}")
    more = [name for name in tensors if name not in expected]
    if more and not others:
        raise ValueError(f"{path}: it has {len(more)} tensor{'s' * (len(more) > 1)} too many, such as {short(more[0])}; the file was "
                         f"altered, or is of another version: {DAMAGED}")
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise ValueError(f"{path}: its tensor {short(name)} is {spoken(tensors[name].shape)}, not {spoken(shape)}; the file was "
                             f"altered, or is of another version: {DAMAGED}")
    check_numbers({name: tensors[name] for name in expected}, path)


def check_numbers(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise ValueError, naming file and tensor, unless all are floating-point numbers that trained weights can be."""
    check_kinds(tensors, path)
    anything = False
    for name, tensor in tensors.items():
        if not tensor.numel():
            continue
        low, high = (float(value) for value in torch.aminmax(tensor.float() if tensor.dtype in SMALL_FLOATS else tensor))
        if not (abs(low) <= LARGEST and abs(high) <= LARGEST):  # a NaN is in both
            largest = max(-low, high)
            what = f"a number of {largest:.2g}" if math.isfinite(largest) else "numbers that are none (NaN or infinite)"
            raise ValueError(f"{path}: its tensor {short(name)} holds {what}, as no trained weights do; the file is damaged, or its "
                             f"training went wrong: {DAMAGED}, or take another one")
        anything = anything or low != 0 or high != 0
    if tensors and not anything:
        raise ValueError(f"{path}: all of its numbers are zero; the download was not finished: {DAMAGED}")


def check_kinds(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise ValueError, naming file and tensor, unless all are ordinary tensors of floating-point numbers."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized or tensor.dtype not in KINDS:
            kind = str(tensor.dtype if tensor.layout == torch.strided else tensor.layout).removeprefix("torch.")
            what = "without content" if tensor.is_meta else f"of kind {kind}"
            raise ValueError(f"{path}: its tensor {short(name)} is {what}; weights are floating-point numbers (float16, bfloat16 or "
                             "float32): get them as that")


def plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in kinds that every device computes in: float64 as float32, 8-bit floats as float16 (exactly)."""
    return {name: tensor.to(torch.float16) if tensor.dtype in SMALL_FLOATS else tensor.float() if tensor.dtype == torch.float64 else tensor
            for name, tensor in tensors.items()}


def spoken(shape: Shape) -> str:
    """(64, 32, 3) -> 64x32x3"""
    return "x".join(map(str, shape)) if len(shape) else "a single number"
