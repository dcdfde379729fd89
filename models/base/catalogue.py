"""Included data: its folder, the traces and the classes of the load generator."""

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from .lazy_dataclass import dataclass

MIB_PER_GIB = 1024.0


def data_file(name: str) -> Traversable:
    """Return a file of the catalogue's data folder."""
    return files("farmsim.models") / "catalogue" / name


@dataclass(frozen=True)
class ShippedTrace:
    """A utilisation trace that comes with the package.

    The file holds one row per VM; each sample is an unsigned little-endian integer of
    ``bytes_per_sample`` bytes that counts ``share_per_count`` of the VM's capacity.
    """

    name: str
    file: str
    vms: int
    slots: int
    step_s: float
    bytes_per_sample: int
    share_per_count: float
    title: str
    licence: str
    source: str


@cache
def traces() -> dict[str, ShippedTrace]:
    """Return the shipped traces by name."""
    table = json.loads(data_file("traces.json").read_text("utf-8"))
    return {name: ShippedTrace(name=name, **entry) for name, entry in table.items()}


@cache
def workload_classes() -> dict[str, Any]:
    """Return the parameter sets of the class-based generator, by name of the set."""
    classes: dict[str, Any] = json.loads(data_file("workload_classes.json").read_text("utf-8"))
    return classes
