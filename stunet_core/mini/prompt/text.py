"""Text to tokens: the same for prompts and for the phrases they are looked up in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LETTERS_WITH_MARKS = "\u0530"  # Latin, Greek and Cyrillic lie below; marks above their letters are left out
IRREGULAR = {"mice": "mouse", "men": "man", "women": "woman", "children": "child", "geese": "goose", "wolves": "wolf", "leaves": "leaf",
             "knives": "knife", "feet": "foot", "teeth": "tooth", "people": "person", "oxen": "ox", "loaves": "loaf"}
ENDINGS = {  # what a noun or adjective may end in, longest first; what is left has at least three letters
    "fr": ("es", "s", "x", "e"),
    "de": ("chen", "ern", "ens", "em", "en", "er", "es", "e", "n", "s"),
    "es": ("itos", "itas", "ito", "ita", "os", "as", "es", "s", "o", "a", "e"),
    "it": ("ini", "ine", "ino", "ina", "hi", "he", "i", "e", "o", "a"),
    "pt": ("inhos", "inhas", "inho", "inha", "oes", "aes", "ao", "os", "as", "es", "s", "o", "a", "e"),
    "ru": ("ами", "ями", "ого", "его", "ому", "ему", "ыми", "ими", "ов", "ев", "еи", "ам", "ям", "ах", "ях", "ом", "ем", "ои", "ую",
           "юю", "ая", "яя", "ое", "ее", "ыи", "ии", "ые", "ие", "ых", "их", "ым", "им", "а", "я", "о", "е", "у", "ю", "ы", "и", "ь"),
    "ko": ("이랑", "에서", "에게", "으로", "하고", "들이", "들을", "들은", "한테", "까지", "부터", "로", "에", "의", "은", "는", "이", "가",
           "을", "를", "와", "과", "도", "랑", "들", "만"),  # in Russian й is folded to и
}
SHORTEST = {"ko": 1, "ru": 3}
WORD = re.compile(r"[a-zA-Z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f]+|[\uac00-\ud7a3]+|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff々]|&|"
                  r"[,.;:!?()\[\]、。，！？；：\n|]")
STOP = re.compile(r"[,.;:!?()\[\]、。，！？；：\n|]")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff々]")
HIRAGANA = re.compile(r"[\u3040-\u309f]+")


@dataclass(frozen=True)
class Token:
    """One word, one Chinese or Japanese character, or a sign that ends a phrase (`stop`).

    `text` is folded for looking it up, `typed` as the user wrote it, with the `weight` that it was given.
    """

    text: str
    typed: str
    weight: float = 1.0
    stop: bool = False


def fold(text: str) -> str:
    """Lower case, no marks above Latin, Greek and Cyrillic letters, one width of characters."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold().replace("œ", "oe").replace("æ", "ae")
    return "".join(unicodedata.normalize("NFD", letter)[0] if letter < LETTERS_WITH_MARKS else letter for letter in text)


def tokenise(text: str, weight: float = 1.0) -> list[Token]:
    """The tokens of a text, all of one weight; what is neither a word nor ends a phrase is left out."""
    words = WORD.findall(unicodedata.normalize("NFKC", text).replace("’", "'"))
    return [Token(fold(word), word, weight, bool(STOP.fullmatch(word))) for word in words]


def key(text: str) -> str:
    """A phrase as tables hold it: its tokens with spaces between; empty when it has none."""
    return " ".join(token.text for token in tokenise(text) if not token.stop)


def stem(word: str, language: str) -> str:
    """A word without its usual ending; the same word if it has none or would get too short."""
    if language == "en":
        return english_stem(word)
    for ending in ENDINGS.get(language, ()):
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST.get(language, 3):
            return word[: -len(ending)]
    return word


def english_stem(word: str) -> str:
    """The singular of an English noun, by the usual rules and a few exceptions."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "oes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")) else word


def stem_key(phrase: str, language: str) -> str:
    """A phrase as `key` writes it, each word without its ending."""
    return " ".join(stem(word, language) for word in phrase.split(" "))


def readable(tokens: Sequence[str]) -> str:
    """Tokens as one would write them: no spaces between Chinese or Japanese characters."""
    out = ""
    for index, text in enumerate(tokens):
        out += text if not index or (CJK.match(text) and CJK.match(tokens[index - 1])) else " " + text
    return out
