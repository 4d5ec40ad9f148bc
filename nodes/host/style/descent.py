"""Gradients of a loss over a few rows, in as much memory as there is: all rows at once, fewer, or with main memory for the rest."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import comfy.model_management as mm
import torch
from torch import Tensor

from ....stunet_core.model.chunks import OUT_OF_MEMORY

log = logging.getLogger(__name__)

Value = Callable[..., tuple[Tensor, Tensor]]  # of some rows of tensors: their mean loss, and what is to be shown of them


class Descent:
    """How many rows go forward and back at once; less whenever memory falls short, and kept so.

    Below one row, what the way back needs is kept in main memory: slower, but a step then takes little more than sampling does.
    """

    def __init__(self, rows: int):
        self.at_once, self.in_main_memory = rows, False

    def gradients(self, parameters: Sequence[Tensor], value: Value, *tensors: Tensor) -> Tensor:
        """Sets the gradients of the mean of `value` over all rows of `tensors`; -> what is to be shown of the first of them."""
        while True:
            for parameter in parameters:
                parameter.grad = None
            shown = self.attempt(value, tensors)
            if shown is not None:
                return shown
            mm.soft_empty_cache()

    def attempt(self, value: Value, tensors: Sequence[Tensor]) -> Tensor | None:
        """The same on top of the gradients there are; or None when memory fell short, and less is to be tried."""
        shown: Tensor | None = None
        try:
            for part in zip(*(tensor.split(self.at_once) for tensor in tensors), strict=True):
                with self.kept():
                    loss, some = value(*part)
                    (loss * (len(part[0]) / len(tensors[0]))).backward()
                shown = some if shown is None else shown
            return shown
        except OUT_OF_MEMORY:
            if self.in_main_memory:
                raise
        if self.at_once > 1:  # here, not above: what the failed attempt held is free only now
            self.at_once //= 2
            log.warning("STUNet: out of memory; going on with %d noised pictures at once", self.at_once)
        else:
            self.in_main_memory = True
            log.warning("STUNet: out of memory; going on with main memory's help, which is slower. A smaller size is faster")
        return None

    def kept(self) -> AbstractContextManager:
        """Where tensors lie that the way back needs."""
        return torch.autograd.graph.save_on_cpu() if self.in_main_memory else nullcontext()
