"""Stage 1: the text encoder, contrastively against what the captions describe, motion words included.

Single frames do not teach "bouncing", and the encoder is frozen once the image stage begins: so it learns here to tell
captions apart by object, style, background, motion and speed. Two views of a scene are pulled together (InfoNCE,
2103.00020): its caption, and an embedding of the attributes that the caption names. Linear heads keep each readable.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import UNKNOWN, Tokenizer

from ..common.data import ATTRIBUTES, attribute_sizes, caption_batch
from ..common.run_state import Run, Schedule
from ..world.caption import vocabulary


class TextTrainer(nn.Module):
    """The encoder beside what it is compared with; only `encoder` is kept."""

    def __init__(self, config: MiniConfig, words: int):
        super().__init__()
        self.encoder = TextEncoder(config, words)
        nn.init.normal_(self.encoder.token_embedding.weight)  # unit deviation
        dim = config.pooled_dim
        sizes = attribute_sizes()
        self.attributes = nn.ModuleList(nn.Embedding(n + 1, dim) for n in sizes)  # last row: not named
        self.scene = nn.Sequential(nn.Linear(dim * len(sizes), 256), nn.GELU(), nn.Linear(256, dim))
        self.heads = nn.ModuleList(nn.Linear(dim, n) for n in sizes)
        self.temperature = nn.Parameter(torch.tensor(2.5))

    def forward(self, ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """ids: b n; labels: b a, -1 where the caption does not say -> loss, accuracy over what is said"""
        _, pooled = self.encoder(ids)
        picked = [table(torch.where(label < 0, table.num_embeddings - 1, label))
                  for table, label in zip(self.attributes, labels.unbind(1), strict=True)]
        scene = F.normalize(self.scene(torch.cat(picked, dim=1)), dim=-1)
        logits = F.normalize(pooled, dim=-1) @ scene.T * self.temperature.exp()  # b b
        same = (labels[:, None] == labels[None]).all(-1)
        target = same.float() / same.sum(1, keepdim=True)
        contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target.T)) / 2
        named = [F.cross_entropy(head(pooled), label, ignore_index=-1) if (label >= 0).any() else pooled.sum() * 0
                 for head, label in zip(self.heads, labels.unbind(1), strict=True)]
        right = torch.stack([head(pooled).argmax(1) == label for head, label in
                             zip(self.heads, labels.unbind(1), strict=True)], 1)[labels >= 0].float().mean()
        return contrast + torch.stack(named).sum(), right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/text"))
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config, tokenizer = MiniConfig(), Tokenizer(vocabulary())
    model = TextTrainer(config, len(tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.01)
    run = Run(args.out, model, optimizer, Schedule(args.steps, args.lr), main=accelerator.is_main_process)
    if args.resume:
        run.resume()
    prepared, optimizer = accelerator.prepare(model, optimizer)
    while run.running:
        rng = run.rng(args.seed)
        ids, labels = caption_batch(rng, args.batch, tokenizer, config.text_tokens)
        drop = torch.from_numpy(rng.random(ids.shape) < 0.03) & (ids > UNKNOWN)
        loss, _ = prepared(torch.where(drop, UNKNOWN, ids), labels)
        accelerator.backward(loss)
        run.update(loss)
    run.save()
    model.eval()
    with torch.no_grad():
        ids, labels = caption_batch(np.random.default_rng([args.seed, 1 << 30]), 1024, tokenizer, config.text_tokens)
        print(f"attributes read off unseen captions: {model(ids, labels)[1]:.4f} of {len(ATTRIBUTES)} kinds")


if __name__ == "__main__":
    main()
