"""Turns of the reserve: each field of each kind changes how many hosts stay awake."""

from typing import Any

Changes = dict[str, Any]

TORN: Changes = {
    "workload.sizes": [
        {"name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "count": 12},
        {"name": "b", "vcpus": 1, "clock": "1 GHz", "memory": "33 GiB", "count": 6},
    ],
    "workload.vms": 18,
    "run.duration": "10 min",
    "policies.control": "power_proportional",
}
"""VMs of more than half a host: two of them find no place where sums would let them."""


def kept(kind: str, **fields: Any) -> Changes:
    return {"policies.reserve": {"kind": kind, **fields}}


RESERVE_TURNS: dict[str, tuple[Changes, Changes]] = {
    "policies.reserve.kind": (kept("hosts"), kept("share")),
    "policies.reserve.hosts": (
        kept("dedicated", hosts=["y-12"]), kept("dedicated", hosts=["y-1*"]),
    ),
    "policies.reserve.check": (
        TORN | kept("hosts", hosts=2, check="sum"), TORN | kept("hosts", hosts=2),
    ),
    "policies.reserve.memory": (
        kept("share", memory="20 %", cpu="0 %"), kept("share", memory="80 %", cpu="0 %"),
    ),
    "policies.reserve.cpu": (
        kept("share", memory="0 %", cpu="10 %"), kept("share", memory="0 %", cpu="40 %"),
    ),
}  # fmt: skip
