"""Scaled dot-product attention that is fast on a CPU in both directions."""

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v over `(b heads) n d` tensors.

    The backward pass of torch's fused kernel is up to ten times slower than plain matmuls for bf16 on a CPU, so
    training takes the explicit form; everything else takes the fused one.
    """
    if torch.is_grad_enabled() and q.requires_grad and q.device.type == "cpu":
        weights = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2))  # (b heads) n m
        return torch.matmul(weights.softmax(dim=-1), v)
    return F.scaled_dot_product_attention(q, k, v)
