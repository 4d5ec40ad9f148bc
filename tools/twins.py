"""Templates for a checkpoint of one's own: twins of those for the mini model, with SD1.5 and a motion module in its place.

`python -m tools.twins` writes `workflows/api/NAME_sd15.json` and draws them. A twin differs from its template in what is said here only.
"""

import json

from launch.client import Workflow
from tools import templates
from tools.draw_workflows import draw

CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"
MOTION_MODULE = "v3_sd15_mm.ckpt"
NEGATIVE = "blurry, low quality, jpeg artifacts, text, watermark"
PROMPTS = {
    "text_to_video": "a red fox running through deep snow, photograph, morning light",
    "image_to_video": "a toy rocket flying up on a purple background, 3d render",
    "extend": "a fox swinging on a blue background, flat vector illustration",
    "cinemagraph": "a sailboat on rippling water, 3d render",
    "inpaint": "a dog on a blue background, flat vector illustration",
    "outpaint": "a fox swinging on a blue background, flat vector illustration",
    "video_to_video": "a fox made of clay swinging on a blue background, studio photograph",
}
ONLY_MINI = ("STUNetPlaces", "STUNetSteady")  # needs its inputs; calms what its weights leave restless
ABOUT = """**{title}.** The graph of *{mini}*, for an SD1.5 checkpoint and an AnimateDiff motion module of yours: photographs and footage \
are at home here.

Choose a checkpoint in *Load Checkpoint* (`models/checkpoints`) and a motion module in *Apply STUNet* (`models/animatediff_models`); any \
of SD1.5 go together. The names that stand there are those of the original downloads.

{more}"""
PICTURE = "For a photograph put *Load Image* in the place of *Example Picture*"
CLIP = "For footage put *Load Video* in the place of *Example Clip*"
MORE = {
    "text_to_video": "Two seconds at 16 frames per second. AnimateDiff's modules were trained on 16 frames at once; *positions* = window "
                     "in *Apply STUNet* lets them work on more.",
    "image_to_video": f"{PICTURE}, and say in the prompt what it shows.",
    "extend": f"{CLIP}, and say in the prompt what it shows.",
    "cinemagraph": f"{PICTURE}, and paint on it what shall move (white).",
    "inpaint": f"{CLIP}. What is white in the mask is made anew; *Frame of Clip* shows a frame to the mask editor, and *Track Mask* "
               "carries what you paint there through the clip.",
    "outpaint": f"{CLIP}, and say in the prompt what it shows.",
    "video_to_video": f"{CLIP}. *denoise* says how much changes, *Follow Clip* how far layout and motion stay.",
}
SAMPLER = {"steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal"}


def name_of(template: str) -> str:
    """The name of a template's twin."""
    return f"{template}_sd15"


NAMES = tuple(map(name_of, PROMPTS))  # of all twins


def twin(template: str, nodes: Workflow) -> Workflow:
    """The API form of a template's twin; `nodes` is the template's."""
    out: Workflow = json.loads(json.dumps(nodes))
    for key in [key for key, node in out.items() if node["class_type"] in ONLY_MINI]:
        bypass(out, key)
    for node in out.values():
        inputs = node["inputs"]
        match node["class_type"]:
            case "STUNetLoadMini":
                node.update(class_type="CheckpointLoaderSimple", inputs={"ckpt_name": CHECKPOINT}, _meta={"title": "Load Checkpoint"})
            case "STUNetApply":
                inputs["weights"] = MOTION_MODULE
            case "CLIPTextEncode":
                inputs["text"] = PROMPTS[template] if node["_meta"]["title"] == "Positive prompt" else NEGATIVE
            case "STUNetEmptyClip":
                inputs |= {"width": 512, "height": 512, "seconds": 2.0}
            case "STUNetImageToVideo" | "STUNetAnimateRegion":
                inputs["seconds"] = 2.0
            case "STUNetSampler":
                inputs |= SAMPLER
            case "STUNetFollow":
                inputs["end_percent"] = 0.55
            case "SaveVideo":
                inputs["filename_prefix"] = f"video/{name_of(template)}"
    return used(out)


def bypass(nodes: Workflow, key: str) -> None:
    """Take a node out that hands its MODEL on."""
    model = nodes.pop(key)["inputs"]["model"]
    for node in nodes.values():
        node["inputs"] = {label: model if value == [key, 0] else value for label, value in node["inputs"].items()}


def used(nodes: Workflow) -> Workflow:
    """Only what something is saved of."""
    needed: set[str] = set()
    waiting = [key for key, node in nodes.items() if node["class_type"] == "SaveVideo"]
    while waiting:
        key = waiting.pop()
        needed.add(key)
        waiting += [value[0] for value in nodes[key]["inputs"].values() if isinstance(value, list) and value[0] not in needed]
    return {key: node for key, node in nodes.items() if key in needed}


def about(template: str) -> str:
    """What the twin's note says."""
    mini, own = (templates.TITLES[name].split(" ", 1)[1] for name in (template, name_of(template)))
    return ABOUT.format(title=own, mini=mini, more=MORE[template])


def main() -> None:
    for template in PROMPTS:
        nodes: Workflow = json.loads(templates.api_form(template).read_text(encoding="utf-8"))
        templates.api_form(name_of(template)).write_text(json.dumps(twin(template, nodes), indent=2) + "\n", encoding="utf-8")
    draw(NAMES, {name_of(template): about(template) for template in PROMPTS})


if __name__ == "__main__":
    main()
