"""STUNet for ComfyUI: Lumiere's Space-Time U-Net as graph nodes."""

from .nodes.extension import STUNetExtension

WEB_DIRECTORY = "web"


async def comfy_entrypoint() -> STUNetExtension:
    return STUNetExtension()
