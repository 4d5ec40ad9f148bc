"""The peak of memory of one way to make a clip, above what its weights take, in a process of its own.

Within one process an allocator keeps what it had, and every way after the first would seem to need nothing. Run by
`benchmarks.speed`; prints MiB.
"""

import argparse
import ctypes
import sys

import torch

from benchmarks.speed import SD15, TINY, Subject, measure


def forget() -> None:
    """Give free memory back to the system, so that it counts when it is taken again."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way")
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    subject = Subject(TINY if args.tiny else SD15, args.frames, args.size, "cpu", getattr(torch, args.dtype))
    forget()
    print(measure(subject.ways()[args.way], "cpu").memory)


if __name__ == "__main__":
    main()
