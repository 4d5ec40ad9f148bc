"""Sampling a clip in one node: denoise, then decode."""

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from .host.walk import sample
from .search import found_by


class STUNetSampler(io.ComfyNode):
    """Core's KSampler and VAE Decode in one: the same latents for the same settings, and the clip's frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetSampler",
            display_name="Sample Clip (STUNet)",
            **found_by("ksampler", "video sampler", "text to video"),
            category="STUNet/sampling",
            description="Denoises a clip and decodes its frames. The latents are those of core's KSampler with the "
                        "same settings; use that, or SamplerCustomAdvanced, whenever you need what they offer.",
            inputs=[
                io.Model.Input("model", tooltip="Any MODEL; for motion, one that went through Apply STUNet."),
                io.Conditioning.Input("positive", tooltip="What the clip shows."),
                io.Conditioning.Input("negative", tooltip="What it does not show; encode an empty prompt for plain "
                                                          "guidance."),
                io.Latent.Input("latent", tooltip="The clip to denoise, one row per frame: an Empty Clip, or an "
                                                  "encoded clip with denoise below 1."),
                io.Int.Input("seed", default=0, min=0, max=2**64 - 1, control_after_generate=True,
                             tooltip="Seed of the noise, 0 to 2^64-1. The same seed gives the same clip."),
                io.Int.Input("steps", default=24, min=1, max=1000, tooltip="Denoising steps, 1 to 1000."),
                io.Float.Input("cfg", default=4.0, min=0.0, max=100.0, step=0.1, round=0.01,
                               tooltip="Guidance: how strongly the prompt pulls, 0 to 100; 1 ignores the negative "
                                       "prompt and takes half the time."),
                io.Combo.Input("sampler_name", options=sample.SAMPLERS, default="euler",
                               tooltip="The sampling algorithm."),
                io.Combo.Input("scheduler", options=sample.SCHEDULERS, default="simple",
                               tooltip="How the noise falls from step to step. The mini model starts from pure noise: "
                                       "take one that includes it, such as simple, normal or sgm_uniform."),
                io.Float.Input("denoise", default=1.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="How much of the given latents is replaced, 0 to 1: 1 starts from noise alone, "
                                       "0.6 keeps the composition, 0 changes nothing."),
                io.Vae.Input("vae", optional=True,
                             tooltip="Decodes the frames. Without it only the latents come out, and whatever is "
                                     "connected to the frames does not run and says why."),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The denoised clip, one row per frame."),
                io.Image.Output(display_name="frames", tooltip="The decoded frames; needs the vae input."),
            ],
        )

    @classmethod
    def validate_inputs(cls, sampler_name: Any = None) -> bool | str:
        """Older ComfyUIs do not check the choices of a list, and would take its first one for an unknown name."""
        return not isinstance(sampler_name, str) or check_choice("sampler_name", sampler_name, sample.SAMPLERS) or True

    @classmethod
    def execute(cls, model, positive, negative, latent, seed, steps, cfg, sampler_name, scheduler, denoise,
                vae=None) -> io.NodeOutput:
        problem = check_choice("sampler_name", sampler_name, sample.SAMPLERS) or check_choice("scheduler", scheduler, sample.SCHEDULERS)
        if problem:
            raise ValueError(problem)
        out = sample.sample(model, latent, positive, negative, seed=seed, steps=steps, cfg=cfg, sampler=sampler_name,
                            scheduler=scheduler, denoise=denoise)
        if vae is None:
            frames = ExecutionBlocker("Sample Clip (STUNet): frames need a VAE. Connect one to its vae input, or "
                                      "decode its LATENT output with VAE Decode.")
        else:
            frames = sample.decode(vae, out["samples"])
        return io.NodeOutput(out, frames)


def check_choice(name: str, value: str, known: Sequence[str]) -> str | None:
    """What is wrong with a choice, or None."""
    return None if value in known else f"{name}: {value!r} is none of {', '.join(known)}"
