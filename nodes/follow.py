"""Video to video that keeps the motion."""

from comfy_api.latest import io

from .host.guidance.layout_following import FollowSettings, make_follow
from .search import found_by


class STUNetFollow(io.ComfyNode):
    """What is coarse in a clip is kept in each prediction; look and texture are free (ILVR, 2108.02938)."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetFollow",
            display_name="Follow Clip (STUNet: vid2vid)",
            **found_by("vid2vid", "v2v", "video to video", "restyle", "stylize video"),
            category="STUNet/sampling",
            description="Keeps the layout and motion of a clip while a prompt changes its look. In video to video, a high denoise "
                        "changes the look and loses the motion; with this node it keeps most of it: at each step, what is coarse in "
                        "the prediction is replaced by the clip's. For any clip model and sampler.",
            inputs=[
                io.Model.Input("model", tooltip="A clip model: the output of Apply STUNet, or a model on its way there."),
                io.Latent.Input("latent", tooltip="The clip to follow, from VAE Encode: as many frames and as large as what is sampled."),
                io.Int.Input("cells", default=2, min=1, max=64,
                             tooltip="How coarse the followed part is, in latent cells (8 pixels, the mini model's 16): 1 follows "
                                     "everything, 2 suits the mini model; for 512 pixels of SD1.5, try 4 to 8. More leaves shapes freer."),
                io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.05, round=0.001,
                               tooltip="How far it is followed, 0 (exactly as without this node) to 1."),
                io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When in sampling it begins, 0 to 1."),
                io.Float.Input("end_percent", default=0.55, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When in sampling it ends, 0 to 1, counted from pure noise whatever the denoise is: later keeps "
                                       "more of the motion, and more of the old look."),
                io.Float.Input("motion_end_percent", default=1.0, min=0.0, max=1.0, step=0.01, round=0.001, optional=True,
                               tooltip="When in sampling it ends that motion is followed, 0 to 1: from end_percent until here only what "
                                       "changes over time is taken from the clip, which leaves the look alone. 0: not after "
                                       "end_percent."),
                io.Boolean.Input("recolour", default=True, optional=True,
                                 tooltip="On: motion is followed in the colours that the new look gives to what the clip shows. Off: in "
                                         "the clip's own, which leaves smears of them behind things that change colour."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model, for any sampler.")],
        )

    @classmethod
    def execute(cls, model, latent, cells: int, strength: float, start_percent: float, end_percent: float,
                motion_end_percent: float = 1.0, recolour: bool = True) -> io.NodeOutput:
        settings = FollowSettings(cells, strength, start_percent, end_percent, motion_end_percent, recolour)
        return io.NodeOutput(make_follow(model, latent["samples"], settings))
