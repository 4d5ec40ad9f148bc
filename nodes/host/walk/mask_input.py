"""Which models see a mask, and which only have their latents blended: said at every sampling that has a mask."""

import logging
from typing import Any

log = logging.getLogger(__name__)


def tell(executor: Any, model: Any, noise_shape: Any, conds: dict[str, list], *args: Any, **kwargs: Any) -> Any:
    """PREPARE_SAMPLING wrapper: whatever sampler runs, the log says how the given pixels reach the model."""
    if any("concat_mask" in cond for group in conds.values() for cond in group or ()):
        log.info("STUNet: %s", how(model.model))
    return executor(model, noise_shape, conds, *args, **kwargs)


def how(model: Any) -> str:
    """What becomes of the mask in a model of this kind."""
    if "mask" in getattr(model, "concat_keys", ()):
        return "the model has a mask input: it sees the given pixels and generates the rest to fit them."
    return (f"{type(model).__name__} has no mask input: the given pixels are blended into its latents at every step. An "
            "SD-inpainting checkpoint, or the mini model, would see them.")
