"""What a server is sent in practice: wrong values, wrong files, strange prompts. Each is answered, and it stays healthy.

The weights are tiny and random; what the shipped ones make of a prompt is tested elsewhere.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file

from launch.client import Client, Workflow, WorkflowFailed, WorkflowRejected
from launch.server import Server
from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.config import MiniConfig
from tests import tiny

MINI, TEMPORAL = "tiny.safetensors", "tiny_stunet.safetensors"


@pytest.fixture(scope="module", autouse=True)
def weights(comfyui: Server) -> None:
    """Good and bad files in the user's `stunet` folder."""
    folder = comfyui.base / "models" / "stunet"
    tiny.write_weights(folder, MINI, TEMPORAL)
    content = (folder / TEMPORAL).read_bytes()
    (folder / "truncated.safetensors").write_bytes(content[: len(content) // 2])
    save_file({"lora.weight": torch.zeros(2, 2)}, folder / "foreign.safetensors")
    wide = MiniConfig(model_channels=64, channel_mult=(1, 2, 2), head_channels=16)
    save_skeleton(folder / "wide.safetensors", tiny.skeleton(wide), {})


def workflow(**changes: Any) -> Workflow:
    """Text to a short clip, its latents saved; `changes` set inputs of any node by name."""
    text = changes.pop("text", "a 3d style rocket flying up")
    sampler = {"model": ["2", 0], "positive": ["3", 0], "negative": ["4", 0], "seed": 1, "steps": 1, "cfg": 3.0,
               "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    nodes: Workflow = {
        "1": {"class_type": "STUNetLoadMini", "inputs": {"weights": MINI}},
        "2": {"class_type": "STUNetApply",
              "inputs": {"model": ["1", 0], "weights": TEMPORAL, "strength": 1.0, "loop": False}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": text}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "5": {"class_type": "STUNetEmptyClip", "inputs": {"width": 64, "height": 64, "seconds": 0.25, "fps": 16.0, "model": ["1", 0]}},
        "6": {"class_type": "STUNetSampler", "inputs": sampler | {"latent": ["5", 0]}},
        "7": {"class_type": "SaveLatent", "inputs": {"samples": ["6", 0], "filename_prefix": "latents/test"}},
    }
    for node in nodes.values():
        node["inputs"] |= {name: value for name, value in changes.items() if name in node["inputs"]}
    return nodes


def latents(client: Client, nodes: Workflow) -> torch.Tensor:
    (file,) = client.submit(nodes).files("7")
    return load(client.download(file))["latent_tensor"]


@pytest.mark.parametrize(("change", "message"), [
    ({"seconds": 0.0}, "Value 0.0 smaller than min of 0.01: seconds"),
    ({"seconds": -2.0}, "Value -2.0 smaller than min of 0.01: seconds"),
    ({"width": 100}, "width: 100 is no multiple of 8 pixels; use 96 or 104"),
    ({"height": 4}, "Value 4 smaller than min of 8: height"),
    ({"fps": 0.0}, "Value 0.0 smaller than min of 1.0: fps"),
    ({"steps": 0}, "Value 0 smaller than min of 1"),
    ({"denoise": 2.0}, "Value 2.0 bigger than max of 1.0"),
    ({"sampler_name": "nonsense"}, "sampler_name: 'nonsense' is none of euler, "),
])
def test_values_are_refused_before_anything_runs(client: Client, change: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkflowRejected) as refusal:
        client.submit(workflow(**change))
    assert message in str(refusal.value)


def test_missing_weights_are_refused_with_the_folders_searched(client: Client, comfyui: Server) -> None:
    nodes = workflow()
    nodes["2"]["inputs"]["weights"] = "nowhere.safetensors"
    with pytest.raises(WorkflowRejected) as refusal:
        client.submit(nodes)
    assert "'nowhere.safetensors' is in none of the folders searched" in str(refusal.value)
    assert str(comfyui.base / "models" / "stunet") in str(refusal.value)


@pytest.mark.parametrize(("node", "name", "message"), [
    ("2", "truncated.safetensors", "truncated.safetensors: the file is damaged, cut short"),
    ("2", "foreign.safetensors", "foreign.safetensors: holds no STUNet weights"),
    ("2", "wide.safetensors", "wide.safetensors: weights: these STUNet weights were trained for mini"),
    ("2", MINI, f"{MINI}: holds no STUNet weights"),
    ("1", "truncated.safetensors", "truncated.safetensors: the file is damaged, cut short"),
    ("1", TEMPORAL, f"{TEMPORAL}: holds no mini model"),
])
def test_wrong_files_are_named(client: Client, node: str, name: str, message: str) -> None:
    nodes = workflow()
    nodes[node]["inputs"]["weights"] = name
    with pytest.raises(WorkflowFailed) as failure:
        client.submit(nodes)
    assert message in str(failure.value)


def test_frames_without_a_vae_say_what_to_connect(client: Client) -> None:
    nodes = workflow()
    nodes["8"] = {"class_type": "SaveImage", "inputs": {"images": ["6", 1], "filename_prefix": "no_vae"}}
    run = client.submit(nodes)
    errors = [event["data"]["exception_message"] for event in run.events if event["type"] == "execution_error"]
    assert len(errors) == 1
    assert "frames need a VAE" in errors[0]
    assert run.files("7"), "what does not need frames is done all the same"


def test_a_prompt_of_10000_characters_and_one_of_unknown_words_run(client: Client, comfyui: Server) -> None:
    assert torch.isfinite(latents(client, workflow(text=("a rocket flying up, " * 500)[:10_000]))).all()
    assert torch.isfinite(latents(client, workflow(text="qqqq zzzz (wwww:1.3)"))).all()
    assert "nothing in this prompt is in the picture book; not shown: qqqq, zzzz, wwww" in comfyui.log_tail(10_000)


def test_one_frame_is_the_image_model(client: Client) -> None:
    clip = latents(client, workflow(seconds=0.05))
    image = workflow(seconds=0.05)
    image["6"]["inputs"]["model"] = ["1", 0]
    assert clip.shape == (1, 8, 4, 4)
    assert torch.equal(clip, latents(client, image))


def test_afterwards_the_server_makes_the_clip_it_made_before(client: Client) -> None:
    """With core's KSampler as with ours, and after its memory was freed."""
    first = latents(client, workflow(seed=7))
    with pytest.raises(WorkflowFailed):
        client.submit(workflow(weights="foreign.safetensors"))
    client.json("/free", {"unload_models": True, "free_memory": True})
    core = workflow(seed=7)
    core["6"]["class_type"] = "KSampler"
    core["6"]["inputs"]["latent_image"] = core["6"]["inputs"].pop("latent")
    assert torch.equal(latents(client, core), first)
    assert client.json("/system_stats")
