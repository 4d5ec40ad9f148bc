"""The embedded text encoder as a ComfyUI CLIP: core's prompt syntax, weights and chunks work on it."""

import functools
import logging
from typing import Any

import torch
from comfy.sd import CLIP
from comfy.sd1_clip import ClipTokenWeightEncoder, SDTokenizer
from comfy.supported_models_base import ClipTarget
from torch import Tensor, nn

from ....stunet_core.mini.checkpoint import Checkpoint
from ....stunet_core.mini.text import TextEncoder
from ....stunet_core.mini.tokenizer import BEGIN, END, PAD, UNKNOWN, Tokenizer

KEY = "mini"  # of the tokens in the dictionary that ComfyUI passes from tokenizer to encoder
UNKNOWN_SHOWN = 80  # characters of a prompt in the log

log = logging.getLogger(__name__)


class Words:
    """Our tokenizer as `SDTokenizer` expects the Hugging Face one: called, it adds the begin and end tokens."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, tokenizer: Tokenizer) -> "Words":
        return cls(tokenizer)

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [BEGIN, *self.tokenizer.encode(text), END]}

    def get_vocab(self) -> dict[str, int]:
        return {"<pad>": PAD, "<begin>": BEGIN, "<end>": END, "<unknown>": UNKNOWN} | self.tokenizer.ids


class MiniTokenizer:
    """Prompt -> chunks of (token, weight) pairs. Textual-inversion embeddings are read as words: none exist."""

    def __init__(self, tokenizer: Tokenizer, length: int, **_: Any):
        self.tokenizer = tokenizer
        self.chunks = SDTokenizer(
            tokenizer, max_length=length, pad_with_end=False, pad_token=PAD, tokenizer_class=Words)

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> dict[str, list]:
        chunks = self.chunks.tokenize_with_weights(text, return_word_ids, **kwargs)
        if text.strip() and not self.tokenizer.knows([pair[0] for chunk in chunks for pair in chunk]):
            shown = text if len(text) <= UNKNOWN_SHOWN else text[:UNKNOWN_SHOWN] + "..."
            log.warning("STUNet: the mini model knows no word of the prompt %r: it is the same as an unknown word. "
                        "It knows %d words, such as %s.", shown, len(self.tokenizer.words),
                        ", ".join(self.tokenizer.words[:8]))
        return {KEY: chunks}

    def untokenize(self, token_weight_pair: list[tuple]) -> list[tuple]:
        return self.chunks.untokenize(token_weight_pair)

    def state_dict(self) -> dict[str, Tensor]:
        return {}


class MiniTextModel(nn.Module, ClipTokenWeightEncoder):
    """The text encoder behind ComfyUI's prompt weighting; a long prompt's pooled text is that of its first chunk."""

    special_tokens = {"start": BEGIN, "end": END, "pad": PAD}

    def __init__(self, encoder: TextEncoder, device: Any, dtype: torch.dtype, **_: Any):
        super().__init__()
        self.encoder = encoder.eval().to(device=device, dtype=dtype)
        self.dtypes = {dtype}

    def set_clip_options(self, options: dict) -> None:
        """Nothing to choose: the encoder is trained for its last layer, so "clip skip" leaves it as it is."""

    def reset_clip_options(self) -> None:
        pass

    def encode(self, tokens: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Chunks of ids -> context (chunks tokens c), pooled (chunks p)."""
        context, pooled = self.encoder(torch.tensor(tokens, device=self.encoder.token_embedding.weight.device))
        return context.float(), pooled.float()

    def encode_token_weights(self, token_weight_pairs: dict[str, list]) -> tuple[Tensor, Tensor]:
        if KEY not in token_weight_pairs:
            raise ValueError(f"clip: the tokens are for {sorted(token_weight_pairs)}, not for the mini model: tokenize "
                             "with the CLIP output of STUNetLoadMini.")
        return super().encode_token_weights(token_weight_pairs[KEY])

    def load_sd(self, sd: dict[str, Tensor]) -> Any:
        return self.encoder.load_state_dict(sd, strict=False)


def make_clip(checkpoint: Checkpoint) -> CLIP:
    """The checkpoint's tokenizer and text encoder as a CLIP, in float32: it is far too small to gain from less."""
    target = ClipTarget(
        functools.partial(MiniTokenizer, checkpoint.tokenizer, checkpoint.config.text_tokens),
        functools.partial(MiniTextModel, checkpoint.text))
    return CLIP(target, model_options={"dtype": torch.float32})
