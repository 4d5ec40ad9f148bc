"""What a prompt was read as."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """A thing of the prompt that the picture book shows.

    `entry` is its place in the book and `name` its name there; `style` is the drawing, `colour` what it is painted in, if the
    prompt says so. `typed` is what the user wrote, `found` how it was found ("name", "keyword" or "nearest word") and
    `similarity` how near that word is (1 for names and keywords). `own` says which of the user's own pictures is shown instead of the
    book's; `entry` then says nothing.
    """

    entry: int
    name: str
    style: str
    colour: str | None
    typed: str
    found: str
    similarity: float = 1.0
    count: int = 1
    own: int | None = None


@dataclass(frozen=True)
class Prompt:
    """A prompt as the mini model is told it.

    `words` are words of the training captions, in their order and with the weights of what they stand for; `things` fill the
    picture slots, the left one first, at most two. `concepts` says what was understood besides things, such as
    {"motion": "up", "background": "night sky"}. `unknown` are words that say something nobody here knows, `ignored` those
    that have no picture ("beautiful"), `replaced` pairs of a typed word and the nearest known one. `notes` are plain sentences
    for the user.
    """

    words: tuple[tuple[str, float], ...]
    things: tuple[Shown, ...] = ()
    concepts: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    language: str = "en"

    @property
    def text(self) -> str:
        """The words as one caption, without their weights."""
        return " ".join(word for word, _ in self.words)
