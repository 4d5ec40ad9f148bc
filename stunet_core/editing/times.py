"""Times as users write them: "0, 2.5s, 79"."""

import re

from .clip import frame_count

TIME = re.compile(r"(\d+)|(\d+\.?\d*|\.\d+)\s*s")


def read_times(text: str, seconds: float, fps: float) -> list[int]:
    """Frame numbers, or seconds with an "s", separated by commas -> frames of a clip of `seconds` at `fps`.

    Raises ValueError for what is no time, lies outside the clip, or falls on a frame that another one falls on too.
    """
    frames = frame_count(seconds, fps)
    found: dict[int, str] = {}
    for word, match in split_times(text):
        frame = int(match[1]) if match[1] else round(float(match[2]) * fps)
        if not 0 <= frame < frames:
            last = (frames - 1) / fps
            has = f"frames 0 to {frames - 1}, so its last frame is at {last:.4g}s" if frames > 1 else "only frame 0"
            raise ValueError(f"times: {word} is frame {frame}; the clip has {has}")
        if frame in found:
            raise ValueError(f"times: {found[frame]} and {word} are both frame {frame}; give each image a frame of "
                             "its own")
        found[frame] = word
    return list(found)


def split_times(text: str) -> list[tuple[str, re.Match[str]]]:
    """Each word of `text`, and it as a match of TIME. Raises ValueError for what is no time."""
    found = []
    for word in (word.strip() for word in text.split(",")):
        match = TIME.fullmatch(word)
        if match is None:
            raise ValueError(f"times: {word!r} is no time; write frame numbers (79) or seconds with an s (2.5s), with "
                             "commas between them, such as 0, 2.5s, 79")
        found.append((word, match))
    return found


def read_aspect(text: str) -> float:
    """"16:9" or "1.78" -> width / height. Raises ValueError for anything else, or beyond 1:10 and 10:1."""
    match = re.fullmatch(r"\s*(\d+\.?\d*)\s*(?:[:/x]\s*(\d+\.?\d*)\s*)?", text)
    value = float(match[1]) / (float(match[2] or 1) or 1) if match else 0.0
    if not 0.1 <= value <= 10:
        raise ValueError(f"aspect: {text!r} is none; write width:height such as 16:9, or a number such as 1.78, "
                         "between 1:10 and 10:1")
    return value
