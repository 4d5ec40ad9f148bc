"""Where the camera looks at every moment of a clip."""

from __future__ import annotations

from training.world.motion import CLIP_SECONDS

CAMERAS = ("pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out")
PAN, ZOOM = 0.36, 1.6  # of the frame, and last zoom / first, over a clip

View = tuple[float, float, float]  # centre x, y and zoom, in fractions of the frame
HOME: View = (0.5, 0.5, 1.0)


def view(camera: str | None, seconds: float) -> View:
    """Where the camera looks at a time in seconds from the clip's middle; HOME when it stands still (None)."""
    part = seconds / CLIP_SECONDS
    x, y, zoom = HOME
    if camera is None:
        return HOME
    if camera in ("pan left", "pan right"):
        x += PAN * part * (-1 if camera == "pan left" else 1)
    elif camera in ("tilt up", "tilt down"):
        y += PAN * part * (-1 if camera == "tilt up" else 1)
    else:
        zoom = ZOOM ** (part if camera == "zoom in" else -part)
    return x, y, zoom
