"""Where bfloat16 is fast: on most GPUs, and on CPUs that have instructions for it. Elsewhere torch emulates it, up to 150 times slower."""

from contextlib import AbstractContextManager
from typing import Any

import torch

CPU = torch.device("cpu")


def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has AMX or AVX-512 bf16 instructions."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def multiplies_bfloat16(device: torch.device = CPU) -> bool:
    """Whether `device` multiplies bfloat16 natively."""
    return torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_multiplies_bfloat16()


def half(device: torch.device = CPU) -> AbstractContextManager[Any]:
    """torch's autocast to bfloat16 where `device` multiplies it natively; elsewhere all stays as it is."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))


def mixed_precision(device: torch.device = CPU) -> str:
    """The same as Accelerate calls it: "bf16" or "no"."""
    return "bf16" if multiplies_bfloat16(device) else "no"
