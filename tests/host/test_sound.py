"""A clip with sound goes through the templates for clips with its sound; a silent one is all the other tests'."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from launch.client import Client
from tests.host.conftest import api_form

RATE, FPS, FRAMES = 44100, 16, 24


def sounding() -> bytes:
    """A white square that moves, with a tone as long as it."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        video, sound = file.add_stream("libx264", rate=FPS), file.add_stream("aac", rate=RATE, layout="mono")
        video.width = video.height = 96
        video.pix_fmt = "yuv420p"
        for i in range(FRAMES):
            picture = np.zeros((96, 96, 3), np.uint8)
            picture[20:60, 10 + i : 50 + i] = 255
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        tone = np.sin(np.arange(RATE * FRAMES // FPS) / 16, dtype=np.float32)[None] / 4
        wave = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        wave.sample_rate = RATE
        file.mux(sound.encode(wave))
        file.mux(video.encode())
        file.mux(sound.encode())
    return out.getvalue()


@pytest.mark.parametrize(("name", "seconds"), [("outpaint", 1.5), ("extend", 4.5)])
def test_the_sound_of_the_given_clip_stays_where_it_was(client: Client, name: str, seconds: float) -> None:
    client.upload("sounding.mp4", sounding())
    nodes = api_form(name)
    for node in nodes.values():
        inputs = node["inputs"]
        if node["class_type"] == "STUNetExampleClip":
            node["class_type"], inputs["file"] = "LoadVideo", "sounding.mp4"  # as its note says
        inputs |= {"steps": 1} if isinstance(inputs.get("steps"), int) else {}
    (file,) = [file for file in client.submit(nodes).files() if file.filename.endswith(".mp4")]
    with av.open(io.BytesIO(client.download(file)), mode="r") as saved:
        lengths = {stream.type: float(stream.duration * stream.time_base) for stream in saved.streams}  # type: ignore[operator]
        waves = np.concatenate([frame.to_ndarray()[0] for frame in saved.decode(audio=0)])
    assert lengths["video"] == pytest.approx(seconds)
    heard = np.flatnonzero(np.abs(waves) > 0.1) / RATE
    assert heard[0] < 0.1 and heard[-1] == pytest.approx(FRAMES / FPS, abs=0.1)
