"""The templates' titles. ComfyUI shows a template under its file's name, in the order of names: so these are words, and numbered."""

from pathlib import Path

WORKFLOWS = Path(__file__).resolve().parent.parent / "workflows"
TITLES = {  # name of the API form in workflows/api -> name of the drawn form and of its picture in workflows
    "text_to_video": "01 Text to Video",
    "text_to_video_sd15": "01b Text to Video, SD1.5",
    "image_to_video": "02 Image to Video",
    "image_to_video_sd15": "02b Image to Video, SD1.5",
    "thing_from_picture": "03 Thing from Picture",
    "thing_on_a_path": "04 Thing on a Path",
    "key_frames": "05 Key Frames",
    "extend": "06 Extend a Clip",
    "extend_sd15": "06b Extend a Clip, SD1.5",
    "cinemagraph": "07 Cinemagraph",
    "cinemagraph_sd15": "07b Cinemagraph, SD1.5",
    "inpaint": "08 Inpaint",
    "inpaint_sd15": "08b Inpaint, SD1.5",
    "moving_mask": "09 Inpaint with a Moving Mask",
    "remove_object": "10 Remove an Object",
    "outpaint": "11 Outpaint",
    "outpaint_sd15": "11b Outpaint, SD1.5",
    "video_to_video": "12 Video to Video",
    "video_to_video_sd15": "12b Video to Video, SD1.5",
    "restyle_clip": "13 Restyle a Clip",
    "style_words": "14 Style Words",
    "four_styles": "15 Four Styles",
    "styled_image_to_video": "16 Image to Video in a Style",
    "style_reference": "17 Style Reference",
    "fit_style": "18 Fit Style",
    "text_to_video_core_ksampler": "19 Text to Video with Core KSampler",
}


def names() -> list[str]:
    """The templates' names, in the order of their titles."""
    return list(TITLES)


def api_form(name: str) -> Path:
    """The file that ComfyUI's API takes."""
    return WORKFLOWS / "api" / f"{name}.json"


def drawn_form(name: str) -> Path:
    """The file that the frontend opens."""
    return WORKFLOWS / f"{TITLES[name]}.json"


def picture(name: str) -> Path:
    """What the template makes, eight frames."""
    return WORKFLOWS / f"{TITLES[name]}.jpg"
