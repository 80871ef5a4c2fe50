"""What a model's work asks of this machine: memory that is kept, and the precision that it multiplies faster in."""

import contextlib
import ctypes
import functools
import sys
import time

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # the names that mallopt(3) gives to its settings


def keep_memory() -> None:
    """Let the C library keep what a batch frees, for the next batch wants as much again; Linux only, else nothing.

    By default every large block is given back and comes again zeroed, page by page: that took an eighth of the time of
    generating and a sixth of the time of training on two cores. The process holds its peak until `give_back`.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 2**30)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(_TOP_PAD, 2**27)


def give_back() -> None:
    """Give memory that nothing uses back to the system, between stretches of work of changing shapes.

    Blocks kept for other shapes add up: after forty minutes of training two processes held 15 GB where 4 would do.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


@functools.cache
def bfloat16_is_faster() -> bool:
    """Tell whether this CPU multiplies matrices faster in bfloat16 than in float32: measured once, in milliseconds.

    What the CPU says of itself does not tell: of two with the same instructions, one was twice as fast in bfloat16 and
    the other took nearly twice as long.
    """
    seconds = {kind: _product_seconds(kind) for kind in (torch.float32, torch.bfloat16)}
    return seconds[torch.bfloat16] < seconds[torch.float32]


def _product_seconds(kind: torch.dtype) -> float:
    """Return the seconds of the fastest of eight products, of a size that a small model's layers have."""
    left, right = torch.ones(1024, 384, dtype=kind), torch.ones(384, 1536, dtype=kind)
    taken = []
    for _ in range(8):
        began = time.perf_counter()
        left @ right
        taken.append(time.perf_counter() - began)
    return min(taken)
