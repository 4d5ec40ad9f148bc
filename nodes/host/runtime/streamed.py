"""Models whose weights are there: newer ComfyUIs stream a checkpoint's weights to a GPU layer by layer ("dynamic VRAM")."""

from comfy.model_patcher import ModelPatcher


def unstreamed(model: ModelPatcher, why: str) -> ModelPatcher:
    """`model`, or where its weights are streamed a clone, loaded anew, that ComfyUI keeps whole.

    Layers of a streamed model take their weights from ComfyUI's own store, so weights put in their place for a call are not
    seen, and core has no hooks for it. ComfyUI itself samples conditioning with hooks on such a clone.

    Raises ValueError, with `why` it is needed, when the model's loader did not say how to load it again.
    """
    if not getattr(model, "is_dynamic", bool)():  # ComfyUIs before it have no such method
        return model
    try:
        return model.clone(disable_dynamic=True)
    except RuntimeError as error:
        raise ValueError(f"model: {why} needs its weights whole, but ComfyUI streams them and the node that loaded it did not say "
                         "how to load it again. Load it with core's Load Checkpoint or Load Diffusion Model, or start ComfyUI with "
                         "--disable-dynamic-vram") from error
