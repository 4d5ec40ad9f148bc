"""Stage 2: the text encoder, on what captions say, motion words included.

Single frames hardly teach "bouncing", and words that mean nothing yet teach the image stage nothing: so the encoder learns here, in
minutes, to tell object, style, background, motion, camera, colour, size and place from a caption. The image stage trains it on.
"""

import argparse

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import UNKNOWN, Tokenizer

from ..common.data import caption_batch
from ..common.losses import LabelHeads
from ..common.run_state import add_arguments, start
from ..world import KINDS, vocabulary

UNHEARD = 0.03  # share of words replaced by the unknown one
TESTED = 1024   # captions that accuracy is measured on


class TextTrainer(nn.Module):
    """The encoder and the heads that its pooled vector is read with; the image stage goes on with both."""

    def __init__(self, words: int, config: MiniConfig):
        super().__init__()
        self.text = TextEncoder(config, words)
        nn.init.normal_(self.text.token_embedding.weight)  # unit deviation: words differ from step one
        self.heads = LabelHeads(config.pooled_dim, tuple(map(len, KINDS.values())))

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        """ids: b n; labels: b kinds, -1 where the caption does not say -> loss"""
        return self.heads(self.text(ids)[1], labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "text", steps=2000, learning_rate=2e-3, batch=256, batch_gpu=256)
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    config, tokenizer = MiniConfig(), Tokenizer(vocabulary())
    model = TextTrainer(len(tokenizer), config).to(accelerator.device)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.01)
    run = start(args, accelerator, model, optimizer, extra={"words": list(tokenizer.words)})
    prepared = accelerator.prepare_model(model)
    while run.running:
        rng = run.rng(args.seed)
        ids, labels = caption_batch(rng, args.batch, tokenizer, config.text_tokens)
        unheard = torch.from_numpy(rng.random(ids.shape) < UNHEARD) & (ids > UNKNOWN)
        ids = torch.where(unheard, UNKNOWN, ids)
        loss = prepared(ids.to(accelerator.device), labels.to(accelerator.device))
        accelerator.backward(loss)
        run.update(loss)
    run.save()
    run.ema.copy_to(model)
    with torch.no_grad():
        ids, labels = caption_batch(np.random.default_rng([args.seed, 1 << 30]), TESTED, tokenizer, config.text_tokens)
        pooled = model.text(ids.to(accelerator.device))[1]
        right = model.heads.right(pooled, labels.to(accelerator.device))
    print("read off unseen captions: " + ", ".join(f"{kind} {share:.3f}" for kind, share in zip(KINDS, right, strict=True)))


if __name__ == "__main__":
    main()
