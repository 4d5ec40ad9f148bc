"""The embedded text and picture encoders as a ComfyUI CLIP: core's prompt syntax, weights and chunks work on it."""

import functools
from typing import Any

import torch
from comfy.sd import CLIP
from comfy.sd1_clip import ClipTokenWeightEncoder, SDTokenizer
from comfy.supported_models_base import ClipTarget
from torch import Tensor, nn

from ....stunet_core.mini.checkpoint import Checkpoint
from ....stunet_core.mini.picture_encoder import PictureEncoder
from ....stunet_core.mini.text import TextEncoder
from ....stunet_core.mini.tokenizer import BEGIN, END, PAD, UNKNOWN, Tokenizer
from .reading import Own, Reading, Styled
from .things import THINGS, Things

KEY = "mini"  # of the tokens in the dictionary that ComfyUI passes from tokenizer to encoder
PICTURES = "mini_pictures"  # in the same: the picture of each slot (9 12 12) or None, the left thing first
AGAIN = "mini_again"  # in the same: a picture of the user's own or a style (`Own`, `Styled`) -> the tokens of the same prompt with it
NOTES = "stunet_notes"  # in the same and in the conditioning: sentences that say what was made of the prompt


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
    """Prompt -> chunks of (token, weight) pairs, and pictures of its things. Textual-inversion embeddings are read as words: none exist."""

    def __init__(self, tokenizer: Tokenizer, length: int, reading: Reading, **_: Any):
        self.tokenizer, self.reading = tokenizer, reading
        self.chunks = SDTokenizer(
            tokenizer, max_length=length, pad_with_end=False, pad_token=PAD, tokenizer_class=Words)

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> dict[str, Any]:
        weighted = not kwargs.pop("disable_weights", False)

        def tokens(own: tuple[Own, ...] = (), style: str | None = None) -> dict[str, Any]:
            prompt = self.reading.prompt(text, weighted, own, style)
            told = " ".join(word if weight == 1 else f"({word}:{weight!r})" for word, weight in prompt.words)

            def again(more: Own | Styled) -> dict[str, Any]:
                return tokens(own, more.style) if isinstance(more, Styled) else tokens((*own, more), style)

            return {KEY: self.chunks.tokenize_with_weights(told, return_word_ids, **kwargs), NOTES: list(prompt.notes),
                    PICTURES: self.reading.pictures(prompt, own), AGAIN: again}

        return tokens()

    def untokenize(self, token_weight_pair: list[tuple]) -> list[tuple]:
        return self.chunks.untokenize(token_weight_pair)

    def state_dict(self) -> dict[str, Tensor]:
        return {}


class MiniTextModel(nn.Module, ClipTokenWeightEncoder):
    """The encoders behind ComfyUI's prompt weighting; a long prompt's pooled text is that of its first chunk."""

    special_tokens = {"start": BEGIN, "end": END, "pad": PAD}

    def __init__(self, encoder: TextEncoder, pictures: PictureEncoder, device: Any, dtype: torch.dtype, **_: Any):
        super().__init__()
        self.encoder = encoder.eval().to(device=device, dtype=dtype)
        self.pictures = pictures.eval().to(device=device, dtype=dtype)
        self.dtypes = {dtype}

    def set_clip_options(self, options: dict) -> None:
        """Nothing to choose: the encoder is trained for its last layer, so "clip skip" leaves it as it is."""

    def reset_clip_options(self) -> None:
        pass

    def encode(self, tokens: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Chunks of ids -> context (chunks tokens c), pooled (chunks p)."""
        context, pooled = self.encoder(torch.tensor(tokens, device=self.encoder.token_embedding.weight.device))
        return context.float(), pooled.float()

    def encode_token_weights(self, token_weight_pairs: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """1 n c: each chunk of words, with the pictures behind it as in training; the pooled text, with what they add to it."""
        if KEY not in token_weight_pairs:
            raise ValueError(f"clip: the tokens are for {sorted(token_weight_pairs)}, not for the mini model: tokenize "
                             "with the CLIP output of STUNetLoadMini.")
        chunks = token_weight_pairs[KEY]
        context, pooled = super().encode_token_weights(chunks)
        pictures, shown = self.pictures.none()
        for slot, picture in enumerate(token_weight_pairs.get(PICTURES, [])):
            if picture is not None:
                pictures[0, slot], shown[0, slot] = picture, True
        tokens, added = self.pictures(pictures, shown)
        words = context.unflatten(1, (len(chunks), -1))                                           # 1 chunks n c
        seen = tokens.to(context)[:, None].expand(-1, len(chunks), -1, -1)
        context = torch.cat([words, seen], dim=2).flatten(1, 2)
        again = token_weight_pairs.get(AGAIN)
        things = Things(pooled, pictures.float().cpu(), shown.cpu(), context,
                        None if again is None else lambda own: self.encode_token_weights(again(own)))
        return context, pooled + added.to(pooled), {THINGS: things, NOTES: token_weight_pairs.get(NOTES, [])}

    def load_sd(self, sd: dict[str, Tensor]) -> Any:
        return self.encoder.load_state_dict(sd, strict=False)


def make_clip(checkpoint: Checkpoint, reading: Reading) -> CLIP:
    """The checkpoint's tokenizer and encoders as a CLIP, in float32: they are far too small to gain from less."""
    target = ClipTarget(
        functools.partial(MiniTokenizer, checkpoint.tokenizer, checkpoint.config.text_tokens, reading),
        functools.partial(MiniTextModel, checkpoint.text, checkpoint.pictures))
    return CLIP(target, model_options={"dtype": torch.float32})
