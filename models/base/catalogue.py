"""The data that farmsim ships: servers, traces and the classes of the load generator."""

import csv
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from ..hardware.server import Server

MIB_PER_GIB = 1024.0


def data_file(name: str) -> Traversable:
    """Return a file of the catalogue's data folder."""
    return files("farmsim.models") / "catalogue" / name


@cache
def servers() -> dict[str, Server]:
    """Return all servers by identifier, in the order of their publication."""
    with data_file("servers.csv").open("r", encoding="utf-8") as handle:
        return {row["id"]: _server(row) for row in csv.DictReader(handle)}


def _server(row: dict[str, str]) -> Server:
    return Server(
        id=row["id"],
        vendor=row["vendor"],
        model=row["model"],
        cpu=row["cpu"],
        sockets=int(row["sockets"]),
        cores=int(row["cores"]),
        threads=int(row["threads"]),
        core_mhz=float(row["core_mhz"]),
        memory_mib=float(row["memory_gib"]) * MIB_PER_GIB,
        watts=tuple(float(row[f"w_{level}"]) for level in range(0, 101, 10)),
        ssj_ops=tuple(float(row[f"ops_{level}"]) for level in range(10, 101, 10)),
        published=row["published"],
        confidence=row["confidence"],
        source=row["source"],
        available=row["available"],
    )


@cache
def published_ops_per_w() -> dict[str, float]:
    """Return the overall ssj_ops per W as published, by server identifier."""
    with data_file("servers.csv").open("r", encoding="utf-8") as handle:
        return {row["id"]: float(row["overall_ops_per_w"]) for row in csv.DictReader(handle)}


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
