"""Scaled dot-product attention that is fast on a CPU in both directions."""

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST = 2**15  # batch x heads in one call: fused kernels on GPUs stop at 2^16
SHORT = 256  # keys: up to so many of 16 bits, matmuls are faster on a CPU than the fused kernel, and their weights take little


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v over `b heads n d` tensors: torch's fused kernels know no other shape.

    The backward pass of torch's fused kernel is up to ten times slower than plain matmuls for bf16 on a CPU, so
    training takes the explicit form, and so do short sequences of 16 bits there; everything else takes the fused one.
    """
    learning, short = torch.is_grad_enabled() and q.requires_grad, q.element_size() == 2 and k.shape[-2] <= SHORT
    if q.device.type == "cpu" and (learning or short):
        weights = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2))  # b heads n m
        return torch.matmul(weights.softmax(dim=-1), v)
    if q.shape[0] * q.shape[1] > LARGEST:
        step = max(1, LARGEST // q.shape[1])
        return torch.cat([F.scaled_dot_product_attention(*part) for part in
                          zip(q.split(step), k.split(step), v.split(step), strict=True)])
    return F.scaled_dot_product_attention(q, k, v)
