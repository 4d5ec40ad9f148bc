"""Prompts as the mini model is told them: core's syntax for weights, words of its world, and pictures of the things named."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comfy.sd1_clip import escape_important, token_weights, unescape_important
from torch import Tensor

from ....stunet_core.mini.autoencoder import Autoencoder
from ....stunet_core.mini.book import Book, load_book
from ....stunet_core.mini.checkpoint import Checkpoint
from ....stunet_core.mini.inputs import SLOTS
from ....stunet_core.mini.pictures.own_picture import OwnPicture
from ....stunet_core.mini.prompt.prompt import Prompt, Shown
from ....stunet_core.mini.prompt.reader import read_prompt
from ....stunet_core.mini.prompt.tables import load_tables
from ....stunet_core.mini.recolour import recolour_picture
from ..runtime.files import WEIGHTS
from ..runtime.notices import say
from ..runtime.weight_cache import WeightCache

BOOK, WORDS = "book.safetensors", "words.tsv.gz"  # in the pack's weights
# parts of a prompt and their weights, `read_prompt`'s own and style
Read = Callable[[Sequence[tuple[str, float]], Sequence[str], str | None], Prompt]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Own:
    """A picture of the user's own, and `which` thing of the prompt it shows (`prompt.own.WHICH`)."""

    picture: OwnPicture
    which: str


@dataclass(frozen=True)
class Styled:
    """A style of the book, for a prompt that names none."""

    style: str


@dataclass(frozen=True)
class Reading:
    """How prompts are read, and what shows the things they name."""

    read: Read
    autoencoder: Autoencoder
    book: Book

    def prompt(self, text: str, weighted: bool = True, own: Sequence[Own] = (), style: str | None = None) -> Prompt:
        """What `text` says, its parentheses read as core reads them if `weighted`, in `style` if it names none.

        What was made of it is said on the node.

        Raises ValueError when it names no thing for a picture of the user's own.
        """
        parts = token_weights(escape_important(text), 1.0) if weighted else [(text, 1.0)]
        prompt = self.read([(unescape_important(part), weight) for part, weight in parts], [each.which for each in own], style)
        if prompt.notes:
            say("; ".join(prompt.notes), logging.WARNING if prompt.unknown else logging.INFO)
        return prompt

    def pictures(self, prompt: Prompt, own: Sequence[Own] = ()) -> list[Tensor | None]:
        """The picture (9 12 12) of each slot, None where there is none."""
        shown = [self.picture(thing) if thing.own is None else self.own_picture(own[thing.own].picture, thing.colour)
                 for thing in prompt.things[:SLOTS]]
        return [*shown, *[None] * (SLOTS - len(shown))]

    def picture(self, thing: Shown) -> Tensor:
        """The thing's page in the book, in its style and colour."""
        picture = self.book.picture(thing.entry, thing.style)
        if thing.colour is None:
            return picture
        return recolour_picture(picture, thing.colour, self.run(self.autoencoder.decode), self.run(self.autoencoder.encode))

    def own_picture(self, picture: OwnPicture, colour: str | None) -> Tensor:
        """A picture of the user's own, in a colour if the prompt says one."""
        return (picture if colour is None else picture.painted(colour)).encoded(self.run(self.autoencoder.encode))

    def run(self, module: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A part of the autoencoder, wherever ComfyUI has put the VAE meanwhile."""
        weight = next(self.autoencoder.parameters())
        return lambda x: module(x.to(weight)).to(x)


def reading(weight_cache: WeightCache, checkpoint: Checkpoint) -> Reading:
    """Prompts read in ten languages, with the pack's picture book.

    Raises ValueError naming a file that is missing or damaged, or a book whose pictures are not what this model is shown.
    """
    path = WEIGHTS / BOOK
    book = weight_cache.take(path, "book", lambda: load_book(path))
    wanted = checkpoint.config.picture_shape
    if book.shape != wanted:
        own, model = ("x".join(map(str, shape)) for shape in (book.shape, wanted))
        raise ValueError(f"{path}: its pictures are {own}, and the mini model is shown {model} (channels, height, width): book and model "
                         "are of different versions; update the pack, or make the book anew with `python -m tools.make_book --mini FILE`")
    tables = weight_cache.take(path, "tables", lambda: load_tables(book, WEIGHTS / WORDS))
    return Reading(lambda parts, own, style: read_prompt(parts, book, tables, own, style), checkpoint.autoencoder, book)
