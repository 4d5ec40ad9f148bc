"""Writes a whole checkpoint of SD1.5's size and shape, and motion modules of full size, all at random in half the memory (bf16).

    python -m benchmarks.full_size.checkpoint FOLDER     # FOLDER/checkpoints/full_size.safetensors, FOLDER/stunet/full_size.safetensors

Run by `benchmarks.full_size` in a process of its own, since ComfyUI's modules and the pack's have the same names.
"""

import importlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from launch.environment import COMFYUI
from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.model.layout import read_layout
from stunet_core.model.motion_module import MotionConfig
from stunet_core.model.skeleton import BlockSpec, Skeleton, SkeletonConfig

VAE = {"double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128, "ch_mult": [1, 2, 4, 4],
       "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}


def randomise(module: nn.Module) -> None:
    """Every parameter at random, of a size that keeps the signal's; ComfyUI's layers hold whatever was in memory."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5)
        else:
            parameter.data.normal_(0, 0.05).add_(float(name.endswith("weight")))


def main(folder: Path) -> None:
    sys.path.insert(0, str(COMFYUI))
    importlib.import_module("comfy.cli_args").args.cpu = True
    torch.manual_seed(0)
    unet = importlib.import_module("comfy.ldm.modules.diffusionmodules.openaimodel").UNetModel(
        image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[2] * 4, channel_mult=(1, 2, 4, 4), num_heads=8,
        use_spatial_transformer=True, transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0], transformer_depth_output=[1] * 9 + [0] * 3,
        transformer_depth_middle=1, context_dim=768, legacy=False, use_linear_in_transformer=False, dtype=torch.bfloat16)
    vae = importlib.import_module("comfy.ldm.models.autoencoder").AutoencoderKL(ddconfig=VAE, embed_dim=4).to(torch.bfloat16)
    transformers = importlib.import_module("transformers")
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu")).to(torch.bfloat16)
    words = {name if name.startswith("text_model.") else f"text_model.{name}": tensor for name, tensor in text.state_dict().items()}
    tensors = {f"cond_stage_model.transformer.{name}": tensor for name, tensor in words.items()}
    for prefix, module in (("model.diffusion_model.", unet), ("first_stage_model.", vae)):
        randomise(module)
        tensors |= {prefix + name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / "checkpoints" / "full_size.safetensors"))
    layout = read_layout(unet)
    motion = Skeleton(SkeletonConfig(
        tuple(BlockSpec(place.name, place.channels, "motion") for place in layout.positions), (2, 2, 2), layout.down_channels,
        layout.up_channels, layout.emb_channels, motion=MotionConfig(positions=32), model="SD1.5")).to(torch.bfloat16)
    randomise(motion)
    (folder / "stunet").mkdir(parents=True, exist_ok=True)
    save_skeleton(folder / "stunet" / "full_size.safetensors", motion, {})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
