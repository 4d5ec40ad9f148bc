"""Masks say where things are."""

from comfy_api.latest import io

from .host.mini.places import place


class STUNetPlaces(io.ComfyNode):
    """The pictures of a prompt's things are drawn where the masks are, and the mini model makes them sharp."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetPlaces",
            display_name="Place Things (STUNet)",
            category="STUNet/sampling",
            description="Says where things are in every frame: a path drawn with Mask Path makes a thing move along it, a mask that Track "
                        "Mask followed through a clip keeps its motion while a prompt changes its look. For the mini model, as image "
                        "model or with Apply STUNet.",
            inputs=[
                io.Model.Input("model", tooltip="The mini model, before or after Apply STUNet."),
                io.Mask.Input("mask", tooltip="Where the prompt's first thing is: white = here, black = background (of the masks of "
                                              "editing, white is what is made anew). Of the clip's shape, any size; one mask for all "
                                              "frames, or one per frame."),
                io.Float.Input("strength", default=1.0, min=0.0, max=4.0, step=0.1, round=0.01,
                               tooltip="How surely it is said, 0 (not at all) to 1, as the model learned it. More, in older workflows, "
                                       "counts as 1."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Mask.Input("second_mask", optional=True,
                              tooltip="Where the prompt's second thing is, if it names two."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model, for any sampler.")],
        )

    @classmethod
    def execute(cls, model, mask, strength: float, second_mask=None) -> io.NodeOutput:
        return io.NodeOutput(place(model, mask, strength, second_mask))
