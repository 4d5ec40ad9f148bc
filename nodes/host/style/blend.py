"""Styles blended into a MODEL's weights: W = a W_style + (1 - a) W_orig (Lumiere, 2401.12945, sec. 4.1).

A style that is a LoRA on the same checkpoint (W_style = W + D) is that LoRA at strength a; any other checkpoint of the same
shape is merged as core's ModelMerge nodes do. A schedule is core's own hook on the weights, with keyframes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comfy.hooks import HookGroup, HookKeyframe, HookKeyframeGroup, WeightHook
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy.weight_adapter import LoRAAdapter

from ....stunet_core.guidance.keyframes import stairs
from ..runtime.streamed import unstreamed

KEY = "stunet_blend"
PREFIX = "diffusion_model."
LORA, CHECKPOINT = "lora", "checkpoint"


@dataclass(frozen=True)
class Style:
    """A model with the style in it, and what part of the blend it is; the shares of all styles sum to 1."""

    name: str
    model: ModelPatcher
    share: float


def blend(model: ModelPatcher, styles: Sequence[Style], a: float, keyframes: tuple[tuple[float, float], ...] = ()) -> ModelPatcher:
    """A clone of `model` with weights W + a * (the mean over styles of W_style - W); a = 0 is a plain clone.

    With `keyframes`, (time, value), what they say over sampling is multiplied with `a`.

    Raises ValueError naming the style's input when it is of another architecture, differs in nothing, or cannot be scheduled.
    """
    kinds = [(style, kind(model, style)) for style in styles]
    out = model.clone()
    if a == 0:
        return out
    if keyframes:
        whole = [style.name for style, what in kinds if what == CHECKPOINT]
        if whole:
            raise ValueError(f"schedule: {', '.join(whole)} is another checkpoint, not model with a LoRA; only LoRAs can change "
                             "during sampling. Leave schedule empty, or use a LoRA of that style")
        return scheduled(unstreamed(out, "a schedule"), [(added(model, style.model), a * style.share) for style, _ in kinds], keyframes)
    left = 1.0 - a * sum(style.share for style, what in kinds if what == CHECKPOINT)
    for style, what in kinds:
        if what == CHECKPOINT:
            weights = style.model.get_key_patches(PREFIX)
            out.add_patches({key: weights[key] for key in weights}, a * style.share, left)
            left = 1.0  # the model's own weights are scaled once
    for style, what in kinds:
        if what == LORA:
            for key, (strength, patch, scale, offset, function) in added(model, style.model):
                out.add_patches({target(key, offset, function): patch}, strength * a * style.share, scale)
    return out


def kind(model: ModelPatcher, style: Style) -> str:
    """Whether a style is `model` with more LoRAs on it or a checkpoint of the same architecture.

    Raises ValueError when it is neither, or no style at all.
    """
    other = style.model
    if other.model is model.model and extends(model, other):
        own = added(model, other)
        if not own:
            raise ValueError(f"{style.name}: its weights are those of model. If they come from a LoRA, it was made for another "
                             "model and nothing of it was loaded (the log lists its keys); connect a model with a style in it")
        check_loras(model, style.name, own)
        return LORA
    ours, theirs = (shapes(m) for m in (model, other))
    if ours != theirs:
        wrong = min(set(ours.items()) ^ set(theirs.items()))[0]
        raise ValueError(f"{style.name}: it is another kind of model ({type(other.model).__name__}) than model "
                         f"({type(model.model).__name__}): {wrong} is {theirs.get(wrong, 'missing')}, not {ours.get(wrong, 'there')}. "
                         "Connect a style made from the same model")
    return CHECKPOINT


def check_loras(model: ModelPatcher, name: str, patches: Sequence[tuple[str, tuple]]) -> None:
    """Raises ValueError when a LoRA among `patches` is of another shape than the weight that core hung it on by name."""
    weights = model.model_state_dict(PREFIX)
    for key, (_, patch, _, offset, _) in patches:
        if not isinstance(patch, LoRAAdapter) or offset is not None or patch.weights[3] is not None or patch.weights[5] is not None:
            continue  # of part of a weight, or with a core tensor, or one that enlarges it
        (up, down), weight = patch.weights[:2], weights[key]
        if (up.shape[0], down[0].numel()) != (weight.shape[0], weight[0].numel()):
            raise ValueError(f"{name}: it has a LoRA for another model: at {key.removeprefix(PREFIX)} it is {up.shape[0]} x "
                             f"{down[0].numel()}, the model {weight.shape[0]} x {weight[0].numel()}. Load one that was made for "
                             "this model")


def shapes(model: ModelPatcher) -> dict[str, tuple[int, ...]]:
    """Shape of each of the U-Net's weights by name."""
    return {key: tuple(weight.shape) for key, weight in model.model_state_dict(PREFIX).items()}


def extends(model: ModelPatcher, style: ModelPatcher) -> bool:
    """Whether `style` has all of `model`'s patches, before its own, and its own only add to the weights."""
    for key, patches in model.patches.items():
        theirs = style.patches.get(key, [])[: len(patches)]
        if len(theirs) < len(patches) or any(p is not q for p, q in zip(patches, theirs, strict=True)):
            return False
    return all(scale == 1.0 and not isinstance(patch, list) for _, (_, patch, scale, _, _) in added(model, style))


def added(model: ModelPatcher, style: ModelPatcher) -> list[tuple[str, tuple]]:
    """The patches that `style` has on top of `model`'s: (key, core's tuple of strength, patch, scale, offset, function)."""
    return [(key, patch) for key, patches in style.patches.items() if key.startswith(PREFIX)
            for patch in patches[len(model.patches.get(key, [])):]]


def target(key: str, offset: Any, function: Any) -> Any:
    """How core names a weight, or the part of one, that a patch is for."""
    return key if offset is None and function is None else (key, offset, function)


def scheduled(out: ModelPatcher, parts: Sequence[tuple[list[tuple[str, tuple]], float]],
              keyframes: tuple[tuple[float, float], ...]) -> ModelPatcher:
    """`out` with patches whose strength follows `keyframes`, as hooks of its weights on every conditioning."""
    times = HookKeyframeGroup()
    for at, value in stairs(keyframes):
        times.add(HookKeyframe(value, at, guarantee_steps=0))
    hook = WeightHook()
    hook.need_weight_init, hook.hook_keyframe = False, times
    for patches, strength in parts:
        for key, (own, patch, scale, offset, function) in patches:
            out.add_hook_patches(hook, {target(key, offset, function): patch}, own * strength, scale)
    hooks = HookGroup()
    hooks.add(hook)
    out.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, KEY, Hooked(hooks).prepare)
    return out


class Hooked:
    """Hangs hooks that are registered on a model on every conditioning it samples with."""

    def __init__(self, hooks: HookGroup):
        self.hooks = hooks

    def prepare(self, executor: Any, model: ModelPatcher, noise_shape: Any, conds: dict[str, list], *args: Any, **kwargs: Any) -> Any:
        """PREPARE_SAMPLING wrapper. Conditionings that share hooks go on sharing them, and so run as one batch."""
        together: dict[int, HookGroup] = {}

        def with_ours(cond: dict[str, Any]) -> dict[str, Any]:
            theirs = cond.get("hooks")
            if id(theirs) not in together:
                together[id(theirs)] = self.hooks if theirs is None else theirs.clone_and_combine(self.hooks)
            return {**cond, "hooks": together[id(theirs)]}

        told = {name: [with_ours(cond) for cond in group] if group else group for name, group in conds.items()}
        return executor(model, noise_shape, told, *args, **kwargs)
