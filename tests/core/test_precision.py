"""bfloat16 is used where a CPU multiplies it, and only there: others emulate it, up to 150 times slower."""

from __future__ import annotations

import pytest
import torch

from stunet_core.model.precision import half, mixed_precision, multiplies_bfloat16


@pytest.mark.parametrize(("capabilities", "native"), [
    ({"avx2": True}, False), ({"avx512_f": True, "avx512_bf16": False}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)])
def test_a_cpu_computes_in_bfloat16_if_it_has_instructions_for_it(
    capabilities: dict[str, bool], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert multiplies_bfloat16() is native
    assert mixed_precision() == ("bf16" if native else "no")
    with half():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if native else torch.float32)
