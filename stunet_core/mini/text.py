"""The text encoder: a two-layer transformer whose tokens feed cross-attention and whose pooled vector is the `y`."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .config import MiniConfig
from .tokenizer import PAD


class Layer(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, dim * 3)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * 4), nn.GELU(), nn.Linear(dim * 4, dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: b n c; mask: b 1 1 n, True where a token may be attended to"""
        q, k, v = rearrange(self.qkv(self.norm1(x)), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        x = x + self.out(rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), "b h n d -> b n (h d)"))
        return x + self.mlp(self.norm2(x))


class TextEncoder(nn.Module):
    """Token ids -> (context, pooled). Word embeddings start with unit deviation, so that words differ from step one."""

    def __init__(self, config: MiniConfig, vocabulary: int):
        super().__init__()
        dim = config.context_dim
        self.token_embedding = nn.Embedding(vocabulary, dim)
        self.position_embedding = nn.Parameter(torch.randn(config.text_tokens, dim) * 0.1)
        self.layers = nn.ModuleList(Layer(dim, config.text_heads) for _ in range(config.text_layers))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.pool = nn.Linear(dim, config.pooled_dim)
        self.pooled_norm = nn.LayerNorm(config.pooled_dim, elementwise_affine=False)

    def embed(self, ids: Tensor) -> Tensor:
        """b n -> b n c, before positions"""
        return self.token_embedding(ids)

    def forward(self, ids: Tensor, embedded: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """ids: b n, padded; `embedded` replaces the token embeddings. -> context b n c, pooled b p (both unit variance)"""
        x = (self.embed(ids) if embedded is None else embedded) + self.position_embedding[: ids.shape[1]]
        real = ids != PAD  # b n
        mask = real[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        x = self.norm(x)
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return x, self.pooled_norm(self.pool(mean))
