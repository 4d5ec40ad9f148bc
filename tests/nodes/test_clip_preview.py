"""The moving clip is sent to the tab that queued it while it is denoised, whatever the sampler, and only where previews are wanted."""

from __future__ import annotations

import base64
import importlib
import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

FRAMES, CELLS = 12, 6
PROMPT, NODE = "prompt-1", "7"


class Server:
    """ComfyUI's, as far as previews see it."""

    def __init__(self) -> None:
        self.client_id: str | None = "tab-1"
        workflow = {"extra_pnginfo": {"workflow": {"id": "workflow-1"}}}
        self.prompt_queue = SimpleNamespace(currently_running={0: (0, "another", {}, {}), 1: (0, PROMPT, {}, workflow)})
        self.sent: list[tuple[str, dict[str, Any], str | None]] = []

    def send_sync(self, event: str, data: Any, sid: str | None = None) -> None:
        if event == "stunet.preview":
            self.sent.append((event, data, sid))

    def send_progress_text(self, text: str, node: str) -> None:
        pass


@pytest.fixture
def server(graph: Any, monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=made)))
    previews(monkeypatch, "latent2rgb")
    monkeypatch.setattr(graph.pack.module("nodes.host.runtime.clip_preview"), "PAUSE", 0.0)
    monkeypatch.setattr(graph.pack.module("nodes.host.runtime.clip_preview"), "SHARE", 1e9)
    return made


def previews(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    told = importlib.import_module("comfy.cli_args")
    monkeypatch.setattr(told.args, "preview_method", told.LatentPreviewMethod(method))


def denoise(graph: Any, node: str = "KSampler", frames: int = FRAMES, **inputs: Any) -> torch.Tensor:
    """A clip of the tiny model, run as node 7 of a prompt."""
    context = importlib.import_module("comfy_execution.utils").CurrentNodeContext
    model, clip, _ = graph.mini()
    with context(PROMPT, NODE):
        return graph.sample(graph.apply(model), clip, torch.zeros(frames, 8, CELLS, CELLS), node, **inputs)


def picture(message: dict[str, Any]) -> np.ndarray:
    """The frames in it, f H W 3."""
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(message["image"]))).convert("RGB"))
    width, height, columns = (message[name] for name in ("width", "height", "columns"))
    rows = sheet.reshape(-1, height, columns, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)
    return rows[: message["frames"]]


@pytest.mark.parametrize("node", ["KSampler", "STUNetSampler"])
def test_every_step_shows_all_frames_to_the_tab_that_asked(graph: Any, server: Server, node: str) -> None:
    denoise(graph, node)
    assert [data["step"] for _, data, _ in server.sent] == [1, 2]
    for event, data, tab in server.sent:
        assert (event, tab) == ("stunet.preview", "tab-1")
        assert (data["prompt_id"], data["node"], data["workflow"]) == (PROMPT, NODE, "workflow-1")
        assert (data["steps"], data["frames"], data["every"], data["given"]) == (2, FRAMES, 1, [])
        assert picture(data).shape == (FRAMES, 64, 64, 3)


def test_each_frame_is_what_core_would_show_of_it(graph: Any, server: Server) -> None:
    seen: list[torch.Tensor] = []
    model, *_ = graph.mini()
    module = graph.pack.module("nodes.host.runtime.clip_preview")
    clean = torch.randn(FRAMES, 8, CELLS, CELLS, generator=torch.Generator().manual_seed(0)) / 2
    previewer = importlib.import_module("latent_preview").get_previewer(torch.device("cpu"), model.model.latent_format)
    rgb, most = module.converter(model)
    made = rgb(clean)
    assert most >= 80
    for row, frame in zip(clean, made, strict=True):
        cores = np.asarray(previewer.decode_latent_to_preview(row[None])).astype(np.float32) / 255
        assert np.abs(cores - frame.clamp(0, 1).movedim(0, -1).numpy()).max() < 1 / 200
        seen.append(frame)
    assert not torch.allclose(seen[0], seen[1])


def test_the_clip_is_the_same_with_and_without_previews(graph: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with_previews = denoise(graph)
    previews(monkeypatch, "none")
    sent = len(server.sent)
    assert torch.equal(denoise(graph), with_previews)
    assert sent and len(server.sent) == sent, "--preview-method none"


def test_nobody_is_sent_what_nobody_queued(graph: Any, server: Server) -> None:
    """Headless prompts have no tab; without one ComfyUI would send to all of them."""
    server.client_id = None
    denoise(graph)
    assert server.sent == []


def test_given_frames_are_named(graph: Any, server: Server) -> None:
    module = graph.pack.module("nodes.host.runtime.clip_preview")
    mask = torch.ones(FRAMES, 1, CELLS, CELLS)
    mask[0], mask[-1], mask[3, :, 0] = 0, 0, 0
    assert module.given_frames(mask, FRAMES) == [0, FRAMES - 1]
    assert module.given_frames(torch.zeros(1, CELLS, CELLS), 3) == [0, 1, 2]
    assert module.given_frames(None, 3) == []


def test_of_a_long_clip_every_other_frame_is_shown(graph: Any, server: Server) -> None:
    denoise(graph, frames=130)
    (_, data, _), *_ = server.sent
    assert (data["frames"], data["every"]) == (65, 2)


def test_of_what_a_network_decodes_some_frames_are_shown(graph: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with TAESD: core's previewer is asked for each of them."""
    asked: list[torch.Tensor] = []

    class Previewer:
        def decode_latent_to_preview(self, z: torch.Tensor) -> Image.Image:
            asked.append(z)
            return Image.new("RGB", (48, 48), (200, 40, 90))

    monkeypatch.setattr(importlib.import_module("latent_preview"), "get_previewer", lambda *_: Previewer())
    module = graph.pack.module("nodes.host.runtime.clip_preview")
    model, *_ = graph.mini()
    with importlib.import_module("comfy_execution.utils").CurrentNodeContext(PROMPT, NODE):
        module.shown(lambda *args: None, model, [0, 4])(0, torch.zeros(40, 8, CELLS, CELLS), None, 1)
    ((_, data, _),) = server.sent
    assert (data["frames"], data["every"], data["given"]) == (14, 3, [0]) and len(asked) == 14
    assert all(len(z) == 1 for z in asked)
    assert np.abs(picture(data).astype(int) - (200, 40, 90)).mean() < 2, "one colour, but for what a JPEG does at borders"


def test_where_nobody_looks_no_previewer_is_made(graph: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """TAESD would be read from its file for each sampling."""
    server.client_id = None
    module = graph.pack.module("nodes.host.runtime.clip_preview")
    monkeypatch.setattr(module, "converter", lambda model: 1 / 0)
    callback = object()
    assert module.shown(callback, None, []) is callback


def test_a_preview_that_fails_stops_nothing(
    graph: Any, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "send_sync", lambda *args: 1 / 0)
    assert denoise(graph).isfinite().all()
    assert caplog.text.count("not previewed any more") == 1


def test_previews_take_a_small_share_of_the_time(graph: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up clock: each preview takes 0.1 s, each step 1 s; so one in five seconds."""
    module = graph.pack.module("nodes.host.runtime.clip_preview")
    monkeypatch.setattr(module, "SHARE", 0.02)
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    real = module.strip

    def slow(*args: Any) -> Any:
        now[0] += 0.1
        return real(*args)

    monkeypatch.setattr(module, "strip", slow)
    model, *_ = graph.mini()
    with importlib.import_module("comfy_execution.utils").CurrentNodeContext(PROMPT, NODE):
        call = module.shown(lambda *args: now.__setitem__(0, now[0] + 1), model, [])
    for step in range(12):
        call(step, torch.zeros(FRAMES, 8, CELLS, CELLS), None, 12)
    assert [data["step"] for _, data, _ in server.sent] == [1, 6, 11]
