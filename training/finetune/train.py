"""Temporal layers for the user's own checkpoint, on the user's own videos; the spatial net stays frozen (Lumiere, 2401.12945, sec. 3.1).

The loss is the checkpoint's own (eps or v, on its noise schedule). Where it is an inpainting model, all tasks of `conditions` are
mixed; otherwise nothing is given.
"""

import json
import sys
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor, nn

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.model.skeleton import Skeleton, SkeletonConfig
from stunet_core.model.walk import Clip

from ..common.run_state import Run, Schedule
from . import cache, start
from .batches import Batch, Batches
from .buckets import buckets
from .image_model import ImageModel
from .load import load
from .settings import FinetuneSettings
from .videos import find_videos

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)


class Loss(nn.Module):
    """The mean square error of one batch. Only the skeleton is a parameter; the image model is held outside `parameters()`."""

    def __init__(self, image: ImageModel, skeleton: Skeleton, lean: bool):
        super().__init__()
        self.skeleton, self.lean = skeleton, lean
        self._image = [image]
        self.bars = start.signal(skeleton, image).to(image.bars.device)

    def forward(self, batch: Batch) -> Tensor:
        image, clips = self._image[0], len(batch.t)
        frames = len(batch.z) // clips
        t = (batch.t * len(self.bars)).long()
        bar = self.bars[t].repeat_interleave(frames)[:, None, None, None]
        noisy, target = image.noised(batch.z, batch.noise, bar)
        if image.inpaints:
            noisy = image.conditioned(noisy, batch.z, batch.keep, frames)
        out = image.forward(self.skeleton, noisy, t, batch.context, batch.y, Clip(clips, frames), self.lean)
        return (out.float() - target).square().mean()


def main(arguments: list[str] | None = None) -> None:
    try:
        train(FinetuneSettings.read(arguments))
    except ValueError as error:
        sys.exit(f"train own: {error}")


def train(settings: FinetuneSettings) -> None:
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if settings.half else "no")
    if accelerator.distributed_type in SHARDED:
        raise ValueError(f"{accelerator.distributed_type} is not supported: start with DDP (accelerate launch --multi_gpu)")
    image, clips = prepare(settings, accelerator)
    torch.manual_seed(settings.seed)  # only now: what had to be cached first must not change the new layers
    skeleton = first_skeleton(settings, image).to(accelerator.device)
    optimizer = torch.optim.AdamW(skeleton.parameters(), settings.lr, weight_decay=0.01)
    schedule = Schedule(settings.steps, settings.lr, warmup=settings.warmup, decay=settings.decay)
    run = Run(settings.out, skeleton, optimizer, schedule, ema_decay=settings.ema, main=accelerator.is_main_process)
    if settings.resume:
        run.resume()
    if accelerator.is_main_process:
        (settings.out / "skeleton.json").write_text(json.dumps(skeleton.config.to_dict()), encoding="utf-8")
    model = accelerator.prepare(Loss(image, skeleton, settings.lean))
    batches = Batches(clips, settings.frames, settings.seed)
    last = min(settings.steps, settings.stop or settings.steps)
    while run.step < last:
        loss = torch.zeros((), device=accelerator.device)
        for part in range(settings.accumulate):
            first = (part * accelerator.num_processes + accelerator.process_index) * settings.batch
            batch = batches.draw(run.step, range(first, first + settings.batch)).to(accelerator.device)
            ends = part == settings.accumulate - 1
            with nullcontext() if ends else accelerator.no_sync(model):  # gradients are exchanged once a step
                share = model(batch) / settings.accumulate
                accelerator.backward(share)
            loss += share.detach()
        run.update(accelerator.reduce(loss, "mean"), log_every=settings.log_steps)
        if run.step % settings.export_steps == 0 and run.step < last:
            export(settings, run, skeleton, len(clips))
    run.save()
    export(settings, run, skeleton, len(clips))
    accelerator.end_training()


def prepare(settings: FinetuneSettings, accelerator: Accelerator) -> tuple[ImageModel, list[cache.CachedClip]]:
    """The frozen model on its device, and the cache, to which every process has encoded its share of what was missing."""
    videos = find_videos(settings.videos)
    names = [f"{file.name} {file.stat().st_size}" for file in (settings.checkpoint, settings.vae) if file is not None]
    recipe = cache.Recipe(settings.fps, settings.size, " ".join(names))
    missing = cache.missing(settings.cache, videos, recipe)
    accelerator.wait_for_everyone()  # all have looked before one writes
    dtype = torch.bfloat16 if settings.half else torch.float32
    image, encoders = load(settings.checkpoint, settings.comfyui, dtype, encoders=bool(missing), vae=settings.vae)
    sizes = buckets(settings.size, image.multiple)
    if encoders is not None:
        cache.fill(settings.cache, missing[accelerator.process_index::accelerator.num_processes], recipe, sizes, encoders)
        encoders.close()
    accelerator.wait_for_everyone()
    clips = cache.open_cache(settings.cache, videos, recipe, settings.frames)
    image.to(accelerator.device)
    return image, clips


def first_skeleton(settings: FinetuneSettings, image: ImageModel) -> Skeleton:
    """As the run began when it goes on; else from --init, or new."""
    begun = settings.out / "skeleton.json"
    if settings.resume and begun.is_file():
        return Skeleton(SkeletonConfig.from_dict(json.loads(begun.read_text(encoding="utf-8"))))
    if settings.init is not None:
        return start.skeleton_from(settings.init, image, settings.strides)
    return start.new_skeleton(image, settings.strides or "lumiere", settings.frames, settings.size)


def export(settings: FinetuneSettings, run: Run, skeleton: Skeleton, clips: int) -> None:
    """The averaged weights as the file that Apply STUNet loads."""
    if not run.main:
        return
    averaged = Skeleton(skeleton.config)
    averaged.load_state_dict(skeleton.state_dict())
    run.ema.copy_to(averaged)
    part = settings.out / "stunet.part"
    save_skeleton(part, averaged, {"steps": run.step, "checkpoint": settings.checkpoint.name, "videos": settings.videos.name,
                                   "clips": clips, "fps": settings.fps, "frames": settings.frames, "size": settings.size})
    part.replace(settings.out / "stunet.safetensors")


if __name__ == "__main__":
    main()
