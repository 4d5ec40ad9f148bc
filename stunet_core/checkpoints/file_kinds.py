"""What a file is, told by its first bytes: weights, or one of the things that are saved under a weights file's name."""

from pathlib import Path

HEAD = 4096  # bytes looked at
SAFETENSORS, ZIP, PICKLE = "safetensors", "zip", "pickle"
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
POINTER = b"version https://git-lfs"
OTHERS = {  # what a file begins with -> what it is
    b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"RIFF": "a picture or a sound", b"%PDF": "a PDF document",
    b"\x1f\x8b": "a packed archive (gzip)", b"7z\xbc\xaf": "a packed archive (7z)", b"Rar!": "a packed archive (RAR)",
    b"GGUF": "a GGUF file", b"\x93NUMPY": "a NumPy array",
}
AGAIN = "download it again"


def kind(path: Path) -> str:
    """One of SAFETENSORS, ZIP (of torch.save) and PICKLE (of torch.save before 1.6, or of anything).

    Raises:
        ValueError: naming the file and what it is, when it is no weights at all.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ValueError(f"{path}: it cannot be read ({error.strerror or error})") from error
    if not size:
        raise ValueError(f"{path}: the file is empty: {AGAIN}")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(PAGES):
        raise ValueError(f"{path}: this is a web page, not weights: {AGAIN}, from the file's own download link")
    if start.startswith(POINTER):
        raise ValueError(f"{path}: this is a Git LFS pointer, which only names the weights: {AGAIN}, or run git lfs pull")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    if head[8:9] == b"{":  # 8 bytes of length, then JSON
        return SAFETENSORS
    if not any(head):
        raise ValueError(f"{path}: it begins with zeros only: the download was not finished: {AGAIN}")
    for magic, what in OTHERS.items():
        if head.startswith(magic):
            raise ValueError(f"{path}: this is {what}, not weights: choose another file, or unpack it first if it is an archive")
    if start.startswith((b"{", b"[")) and readable(head):
        raise ValueError(f"{path}: this is JSON, not weights: {AGAIN}, and see that no error message of a web site is saved in its place")
    if readable(head):
        raise ValueError(f"{path}: this is text, not weights: {AGAIN}")
    pickled = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")  # PROTO and its number
    return PICKLE if path.suffix.lower() != ".safetensors" or pickled else SAFETENSORS


def readable(head: bytes) -> bool:
    """Whether bytes are text: no control characters but white space."""
    return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
