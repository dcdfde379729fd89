"""The optional compiled part of farmsim, and whether it is used.

It is written in C and built with the package where there is a compiler. Results are the same
without it, to the last bit; only rounds of consolidation take longer.
"""

import os
from functools import cache
from importlib import import_module
from typing import Any

VARIABLE = "FARMSIM_KERNEL"
"""Set to ``plain``, Python does what the compiled part would do."""


@cache
def compiled() -> Any:
    """Return the compiled module, or None where it was not built or is not to be used."""
    if os.environ.get(VARIABLE) == "plain":
        return None
    try:
        return import_module("._compiled", __package__)
    except ImportError:
        return None


def kernel() -> str:
    """Return ``compiled`` or ``plain``: who plays the rounds of consolidation."""
    return "plain" if compiled() is None else "compiled"
