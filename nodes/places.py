"""A mask says where things are."""

from comfy_api.latest import io

from .host.mini.places import place


class STUNetPlaces(io.ComfyNode):
    """The mask is shown to weights that learned to look at where things are, such as the bundled ones."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetPlaces",
            display_name="Place Things (STUNet)",
            category="STUNet/sampling",
            description="Says where things are in every frame: a path drawn with Mask Path makes a thing move along it, a mask that Track "
                        "Mask followed through a clip keeps its motion while a prompt changes its look. For weights with a clock, as the "
                        "bundled ones have.",
            inputs=[
                io.Model.Input("model", tooltip="A clip model: the output of Apply STUNet, or a model on its way there."),
                io.Mask.Input("mask", tooltip="White = here is a thing, black = background (of the masks of editing, white is what is made "
                                              "anew). As large as the clip; one mask for all frames, or one per frame."),
                io.Float.Input("strength", default=2.0, min=0.0, max=4.0, step=0.1, round=0.01,
                               tooltip="How loudly it is said, 0 to 4: 1 is as loud as the weights' own guess, which they learned from; "
                                       "2 keeps things closer to the mask. 0: no thing is said to be anywhere."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model, for any sampler.")],
        )

    @classmethod
    def execute(cls, model, mask, strength: float) -> io.NodeOutput:
        return io.NodeOutput(place(model, mask, strength))
