"""What conditioning says of the clip, said to the user at every sampling: how a mask reaches the model, and whether a loop is one."""

import logging
from typing import Any

from comfy.patcher_extension import WrappersMP

from ..runtime.notices import say

LOOP = "stunet_loop"  # in conditioning: the node that made it was told that the clip repeats
KEY = "stunet"

log = logging.getLogger(__name__)


def tell(executor: Any, model: Any, noise_shape: Any, conds: dict[str, list], *args: Any, **kwargs: Any) -> Any:
    """PREPARE_SAMPLING wrapper: whatever sampler runs, the log says how the given pixels reach the model."""
    together = [cond for group in conds.values() for cond in group or ()]
    if any("concat_mask" in cond for cond in together):
        log.info("STUNet: %s", how(model.model))
    if any(cond.get(LOOP) for cond in together) and not all(walk.clip.loop for walk in model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY)):
        say("loop is on in the node that made the conditioning, but off in Apply STUNet: the clip will jump when it repeats. Switch it on "
            "there too.")
    return executor(model, noise_shape, conds, *args, **kwargs)


def looped(told: tuple[list, list, dict[str, Any]], loop: bool) -> tuple[list, list, dict[str, Any]]:
    """(positive, negative, latent) with a word of the loop in the conditioning, which `tell` looks for."""
    if not loop:
        return told
    positive, negative = ([[text, {**values, LOOP: True}] for text, values in part] for part in told[:2])
    return positive, negative, told[2]


def how(model: Any) -> str:
    """What becomes of the mask in a model of this kind."""
    if "mask" in getattr(model, "concat_keys", ()):
        return "the model has a mask input: it sees the given pixels and generates the rest to fit them."
    return (f"{type(model).__name__} has no mask input: the given pixels are blended into its latents at every step. An "
            "SD-inpainting checkpoint, or the mini model, would see them.")
