"""The noise schedule that motion modules were trained on, instead of the image model's own."""

from types import SimpleNamespace

from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import ModelSamplingDiscrete

KEY = "stunet_schedule"
NAMES = {"linear": "sqrt_linear", "scaled_linear": "linear"}  # the papers' names -> ComfyUI's


def use_schedule(model: ModelPatcher, betas: tuple[str, float, float] | None) -> None:
    """Let `model` sample on betas of (kind, first, last); None: on those that it had before this was called.

    What the U-Net predicts (eps, v, LCM's) stays as it is. Models without discrete steps are left alone.
    """
    sampling = model.get_model_object("model_sampling")
    ours, before = model.get_attachment(KEY) or (None, None)
    if sampling is ours:
        sampling = before
        model.add_object_patch("model_sampling", sampling)
    if betas is None or not isinstance(sampling, ModelSamplingDiscrete):
        return
    kind, first, last = betas
    settings = {"beta_schedule": NAMES[kind], "linear_start": first, "linear_end": last, "zsnr": getattr(sampling, "zsnr", False)}
    patched = type(sampling)(SimpleNamespace(sampling_settings=settings))
    model.add_object_patch("model_sampling", patched)
    model.set_attachments(KEY, (patched, sampling))
