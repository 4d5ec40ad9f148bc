"""What is added to a prompt's embedding so that a model draws in the style of a picture: textual inversion (Gal et al., 2208.01618).

Where textual inversion learns the embedding of a new word, this learns one vector that is added to every token after the text
encoder, and one that is added to the pooled embedding. In cross-attention the same vector in every token moves all keys alike,
which no softmax sees, and adds one and the same vector to what is read: a bias that is the style's, whatever the prompt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Words:
    """tokens (c): added to each token of a prompt's embedding; pooled (p): to its pooled embedding, where the model reads one; style: of
    the drawings that a model is shown beside the prompt, the one nearest to the pictures, where it is shown any.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    style: str | None = None


class Found(nn.Module):
    """`Words` in the making, on the scale of the text they are added to. They begin as no change at all."""

    def __init__(self, context: Tensor, pooled: Tensor | None):
        """context: r n c; pooled: r p, or None for models that read none"""
        super().__init__()
        self.scale = context.detach().square().mean().sqrt()
        self.tokens = nn.Parameter(torch.zeros_like(context[0, 0]))
        self.pooled_scale = None if pooled is None else pooled.detach().square().mean().sqrt()
        self.pooled = None if pooled is None else nn.Parameter(torch.zeros_like(pooled[0]))

    def words(self) -> Words:
        """What has been found so far; gradients go through it."""
        return Words(self.tokens * self.scale, None if self.pooled is None else self.pooled * self.pooled_scale)

    def told(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A U-Net's `context` (r n c) and `y` (r p or more, the pooled embedding first) with the words in them."""
        words = self.words()
        out = {**inputs, "context": inputs["context"] + words.tokens}
        if words.pooled is not None:
            more = inputs["y"].shape[1] - len(words.pooled)
            out["y"] = inputs["y"] + nn.functional.pad(words.pooled, (0, more))
        return out


def add_words(context: Tensor, pooled: Tensor | None, words: Words, strength: float) -> tuple[Tensor, Tensor | None]:
    """A prompt's embedding (b n c) and its pooled one (b p, or None) with the words at this strength.

    Raises ValueError when the words are another model's.
    """
    for name, value, own in (("tokens", context, words.tokens), ("a pooled embedding", pooled, words.pooled)):
        if value is not None and own is not None and value.shape[-1] != len(own):
            raise ValueError(f"words: they were fitted to a text encoder whose {name} have {len(own)} channels, those of the "
                             f"conditioning have {value.shape[-1]}; fit them with the model and CLIP that sample")
    context = context + strength * words.tokens.to(context)
    return context, pooled if pooled is None or words.pooled is None else pooled + strength * words.pooled.to(pooled)
