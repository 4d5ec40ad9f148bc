"""Words to ids. Unknown words are looked up as pieces, else as the unknown token; nothing fails."""

import re
from collections.abc import Sequence

PAD, BEGIN, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = 4
SHORTEST_PIECE = 3


class Tokenizer:
    """A closed vocabulary of lower-case words; ids 0-3 are padding, begin, end and unknown."""

    def __init__(self, words: Sequence[str]):
        if len(set(words)) != len(words):
            raise ValueError("words: the vocabulary lists a word twice")
        self.words = tuple(words)
        self.ids = {word: i + SPECIAL for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words) + SPECIAL

    def pieces(self, word: str) -> list[int]:
        """Ids of one word: itself, else the longest known prefix ("rockets" -> "rocket"), else the unknown token."""
        if word in self.ids:
            return [self.ids[word]]
        for end in range(len(word) - 1, SHORTEST_PIECE - 1, -1):
            if word[:end] in self.ids:
                return [self.ids[word[:end]]]
        return [UNKNOWN]

    def encode(self, text: str) -> list[int]:
        """Ids of `text` without begin, end and padding."""
        return [i for word in re.findall(r"[a-z0-9]+", text.lower()) for i in self.pieces(word)]

    def knows(self, ids: Sequence[int]) -> bool:
        """Whether any id stands for a known word."""
        return any(i >= SPECIAL for i in ids)

    def pad(self, ids: Sequence[int], length: int) -> list[int]:
        """Begin + ids + end + padding, exactly `length` long; what does not fit is left out."""
        ids = list(ids)[: length - 2]
        return [BEGIN, *ids, END] + [PAD] * (length - 2 - len(ids))
