"""The last step of every edit: given pixels stay what they were."""

from comfy_api.latest import io

from ..stunet_core.editing.composite import composite, passes
from ..stunet_core.editing.model_size import even
from . import task_inputs
from .host.runtime.notices import say
from .host.runtime.progress import progress
from .search import found_by


class STUNetComposite(io.ComfyNode):
    """Given pixels pasted back into the generated frames, bit for bit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetComposite",
            display_name="Composite (STUNet)",
            **found_by("paste back", "blend", "seam", "feather"),
            category=task_inputs.CATEGORY,
            description="Puts the original's pixels back wherever the mask is black, bit for bit: a model and its VAE "
                        "never leave them quite alone. Frames that were padded to multiples of 8 are cropped back.",
            inputs=[
                io.Image.Input("frames", tooltip="The generated and decoded frames."),
                io.Image.Input("original", tooltip="What was given: the original output of the node that made the "
                                                   "conditioning, or the clip itself. As many frames, or one."),
                io.Mask.Input("mask", tooltip="White = generated, black = given: the mask output of the same node. As "
                                              "many frames, or one."),
                io.Int.Input("feather", default=4, min=0, max=1024,
                             tooltip="Over how many pixels the seam fades into the generated side, 0 to 1024. Given "
                                     "pixels stay exact, and nothing that was removed shines through."),
                io.Boolean.Input("match_colors", default=True,
                                 tooltip="Shift the generated colours by what the model changed on average where it should "
                                         "have changed nothing, so that clips extended many times do not drift."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Int.Input("joint_frames", default=8, min=0, max=1024, optional=True,
                             tooltip="Where whole given frames end and made ones begin: over so many made frames, 0 to 1024, what jumps "
                                     "there fades, carried along by the motion; with match_colors, colours that drift are put right in "
                                     "all made frames. 0: left as it is."),
                io.Boolean.Input("still_background", default=True, optional=True,
                                 tooltip="Made pixels that nearly show what stood still there for as long as it was given (in 4 frames or "
                                         "more) show exactly that: the background of a clip that goes on, or behind a hole that moves, "
                                         "stays as sharp as it was."),
                io.Boolean.Input("loop", default=False, optional=True,
                                 tooltip="The clip repeats: the first frame follows on the last one, and that joint is closed like the "
                                         "others."),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The finished frames, as large as the original.")],
        )

    @classmethod
    def execute(cls, frames, original, mask, feather: int, match_colors: bool, joint_frames: int = 8,
                still_background: bool = True, loop: bool = False) -> io.NodeOutput:
        keep = (mask[None] if mask.ndim == 2 else mask) < 0.5
        step = progress(passes(len(frames), feather=feather, joint=joint_frames, still=still_background, loop=loop))
        done = composite(frames, original, keep, feather=feather, match=match_colors, joint=joint_frames, still=still_background, loop=loop,
                         step=step)
        height, width = done.shape[1:3]
        if height % 2 or width % 2:
            say(f"original: is {width}x{height} pixels; videos have even sides, so an edge is left out.")
        return io.NodeOutput(done[:, : even(height), : even(width)])
