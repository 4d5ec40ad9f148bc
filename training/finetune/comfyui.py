"""Any other checkpoint as the frozen image model, read by ComfyUI as a library: the only file here that imports it.

ComfyUI is not started, and no node is loaded. Its `nodes.py` and our `nodes/` bear one name, so its folder comes last in
the search path, after the repository's; nothing imported here needs either.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from stunet_core.model.attention import attend
from stunet_core.model.layout import read_layout
from stunet_core.model.walk import Block, Host

from .image_model import Encoders, ImageModel, Text

PREDICTS = {"EPS": "eps", "V_PREDICTION": "v"}  # ComfyUI's name -> ours
ENCODED = 16  # pictures per call of the VAE


def load(checkpoint: Path, comfyui: Path, dtype: torch.dtype, encoders: bool,
         vae: Path | None) -> tuple[ImageModel, Encoders | None]:
    """The checkpoint's U-Net in `dtype`, and its text encoder and VAE (or the one at `vae`) if asked for.

    Raises ValueError naming what is missing, or the architecture when it is no U-Net of images.
    """
    sd, utils = start(comfyui, "comfy.sd"), start(comfyui, "comfy.utils")
    try:
        model, clip, own_vae, *_ = sd.load_checkpoint_guess_config(
            str(checkpoint), output_vae=encoders and vae is None, output_clip=encoders, model_options={"dtype": dtype})
    except RuntimeError as error:
        raise ValueError(f"checkpoint: ComfyUI does not know what {checkpoint} is; it must be a whole checkpoint of SD1.5, SD2.x or "
                         f"SDXL ({str(error).splitlines()[0]})") from error
    image = of_model(model.model)
    if not encoders:
        return image, None
    if clip is None:
        raise ValueError(f"checkpoint: {checkpoint} has no text encoder; take the whole checkpoint, not its U-Net alone")
    if vae is not None:
        own_vae = sd.VAE(sd=utils.load_torch_file(str(vae), safe_load=True))
    return image, ComfyEncoders(model.model, clip, own_vae)


def start(comfyui: Path, name: str) -> ModuleType:
    """A module of the ComfyUI in `comfyui`. Raises ValueError when there is none."""
    if not (comfyui / "comfy").is_dir():
        raise ValueError(f"comfyui: {comfyui} is no ComfyUI; python run.py train own makes one, or give yours with --comfyui")
    if str(comfyui) not in sys.path:
        sys.path.append(str(comfyui))
    if not torch.cuda.is_available():
        importlib.import_module("comfy.cli_args").args.cpu = True  # as with --cpu; it would look for CUDA otherwise
    return importlib.import_module(name)


def of_model(model: Any) -> "ComfyImage":
    """A loaded `BaseModel` of ComfyUI as the frozen image model."""
    name = type(model).__name__
    if name == "BaseModel":  # of several families, which only their configurations tell apart
        name = type(model.model_config).__name__
    if name == "SDXLRefiner":
        raise ValueError("checkpoint: it is SDXL's refiner, which only finishes pictures; train on the SDXL base model")
    try:
        read_layout(model.diffusion_model)
    except ValueError as error:
        raise ValueError(f"checkpoint: found {name}; {error}") from error
    return ComfyImage(model, name)


class ComfyImage(ImageModel):
    """A `UNetModel` of ComfyUI. What joins its time embedding (`y`) is in it already, so temporal blocks hear only that."""

    def __init__(self, model: Any, name: str):
        kind = model.model_type.name
        sigmas = model.model_sampling.sigmas.detach().clone()
        blank = model.blank_inpaint_image_like(torch.ones(1, 4, 1, 1)).flatten() if model.concat_keys else None
        super().__init__(model.diffusion_model, name, PREDICTS.get(kind, kind), 1 / (1 + sigmas.square()), blank=blank)
        self.run = importlib.import_module("comfy.ldm.modules.diffusionmodules.openaimodel").forward_timestep_embed
        self.waves = importlib.import_module("comfy.ldm.modules.diffusionmodules.util").timestep_embedding

    def embed(self, t: Tensor, y: Tensor | None) -> Tensor:
        net = self.net
        dtype = net.time_embed[0].weight.dtype  # type: ignore[index, union-attr]
        emb = net.time_embed(self.waves(t, net.model_channels).to(dtype))  # type: ignore[operator]
        return emb if net.num_classes is None else emb + net.label_emb(y)  # type: ignore[operator]

    def host(self, emb: Tensor, context: Tensor, frames: int) -> Host:
        return ComfyTrainingHost(self.run, emb, context, frames)


class ComfyTrainingHost:
    """ComfyUI's own layers with its own call, and attention whose backward pass is fast. emb: (b f) e; context: b n c"""

    def __init__(self, run: Any, emb: Tensor, context: Tensor, frames: int):
        self.run, self.emb, self.context, self.frames = run, emb, context, frames
        self.options = {"optimized_attention_override": explicit}

    def spatial(self, layers: Sequence[nn.Module], h: Tensor, rows: Tensor, block: Block, size: tuple[int, int] | None) -> Tensor:
        shape = None if size is None else (*h.shape[:2], *size)
        return self.run(layers, h, self.emb[rows], self.context[rows // self.frames], self.options, shape)

    def after(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        return h

    def skip(self, h: Tensor, skip: Tensor, rows: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        return h, skip


def explicit(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """ComfyUI's attention of b n (h d) by ours."""
    q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=heads) for t in (q, k, v))
    return rearrange(attend(q, k, v), "b h n d -> b n (h d)")


class ComfyEncoders(Encoders):
    """The checkpoint's text encoder and VAE. What the U-Net is given is asked of the model, as samplers do."""

    def __init__(self, model: Any, clip: Any, vae: Any):
        self.model, self.clip, self.vae = model, clip, vae
        self.samplers = importlib.import_module("comfy.samplers")
        self.helpers = importlib.import_module("comfy.sampler_helpers")

    def close(self) -> None:
        importlib.import_module("comfy.model_management").unload_all_models()

    @torch.no_grad()
    def pictures(self, frames: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(frames).float() / 255                               # f h w 3
        z = torch.cat([self.vae.encode(part) for part in pixels.split(ENCODED)])
        return self.model.process_latent_in(z).float().cpu()

    @torch.no_grad()
    def text(self, caption: str, width: int, height: int) -> Text:
        said = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(caption))
        noise = torch.zeros(1, 4, height // 8, width // 8)
        conds = self.samplers.encode_model_conds(
            self.model.extra_conds, self.helpers.convert_cond(said[:1]), noise, noise.device, "positive", latent_image=noise)
        given = conds[0]["model_conds"]
        y = given["y"].cond[0].float().cpu() if "y" in given else None
        return Text(given["c_crossattn"].cond[0].float().cpu(), y)
