"""Figures beside what the truth gets, what chance would get, and what is wanted."""

from collections.abc import Mapping

from training.world import BACKGROUNDS, CAMERAS, COLOURS, MOTIONS, OBJECT_NAMES, STYLES

Figures = dict[str, float]
CHANCE = {  # of a judge's figure
    "object": 1 / len(OBJECT_NAMES), "object_single": 1 / len(OBJECT_NAMES), "object_pair": 2 / len(OBJECT_NAMES) ** 2,
    "style": 1 / len(STYLES), "background": 1 / len(BACKGROUNDS), "colour": 1 / len(COLOURS), "motion": 1 / len(MOTIONS),
    "camera": 1 / (len(CAMERAS) + 1), "nearest": 1 / 500,
}
WANTED = {  # what the project asks of the shipped weights
    "autoencoder_psnr": ">= 31", "autoencoder_psnr_unseen": ">= 28", "image_object": ">= 0.95", "image_style": ">= 0.97",
    "image_background": ">= 0.99", "image_colour": ">= 0.95", "image_nearest": ">= 0.90",
    "pairs_object_pair": ">= 0.80", "clip_object": ">= 0.93", "clip_style": ">= 0.95", "clip_background": ">= 0.98",
    "clip_motion": ">= 0.93", "clip_camera": ">= 0.90", "clip_speed_error": "<= 0.15", "clip_identity": ">= 0.95", "clip_flicker": "<= 1.5",
    "clip_flicker_steady": "<= 1.1", "clip_sharpness": ">= 0.90", "drawing_psnr": ">= 22", "drawing_same": ">= 0.90",
    "prompts_right": ">= 0.85", "i2v_first_psnr": ">= 30", "region_flow_inside": "> 1", "region_flow_outside": "< 0.1",
    "prefix_joint_psnr": ">= 28", "prefix_motion": ">= 0.85",
}


def beside(group: str, made: Mapping[str, float], true: Mapping[str, float]) -> Figures:
    """Judged figures of what was made, each as GROUP_name, and beside it GROUP_name_truth and GROUP_name_chance."""
    figures: Figures = {}
    for name, value in made.items():
        figures[f"{group}_{name}"] = value
        if name in true:
            figures[f"{group}_{name}_truth"] = true[name]
        if name in CHANCE:
            figures[f"{group}_{name}_chance"] = round(CHANCE[name], 4)
    return figures


def table(figures: Mapping[str, float]) -> str:
    """One line per figure: measured, truth, chance, wanted."""
    ends = ("_truth", "_chance")

    def cell(name: str) -> str:
        return f"{figures[name]:>9.3f}" if name in figures else " " * 9

    lines = [f"{'figure':<30}{'measured':>9}{'truth':>9}{'chance':>9}{'wanted':>10}"]
    for name in figures:
        if not name.endswith(ends):
            lines.append(f"{name:<30}{cell(name)}{cell(name + ends[0])}{cell(name + ends[1])}{WANTED.get(name, ''):>10}")
    return "\n".join(lines)
