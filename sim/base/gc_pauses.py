"""Fewer passes of Python's garbage collector while a run makes many objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000
"""Objects made beyond those freed until young ones are looked through; Python's own is 700."""


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Look through fewer objects and less often; all is as it was afterwards.

    What a farm and its policies consist of lives as long as the run, so there is no use in
    going through it again and again.

    The thresholds are restored also when the block raises. Results do not depend on it.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(ALLOCATIONS, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
