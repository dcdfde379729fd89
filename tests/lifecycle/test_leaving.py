"""VMs that are on their way out of a host are not given a second place elsewhere."""

from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.analysis.run.result import Result

LINEAR = {"model": "linear", "idle": "100 W", "max": "200 W"}
CONSOLIDATION = {
    "policy": "consolidation",
    "overload": {"policy": "static_threshold", "threshold": "80 %"},
    "placement": "first_fit",
    "drain": {"policy": "least_utilised", "below": "80 %"},
}
COMBINED = {"policy": "combined", "policies": [CONSOLIDATION], "undo_after": "0 s"}


def run(load: str, folder: Path, control: dict[str, Any], hosts: int = 3) -> Result:
    """Return a run of three VMs of 2 GHz, all on the first host; a move takes 344 s."""
    trace = folder / "load.csv"
    trace.write_text(load)
    server = {"cores": 2, "clock": "1 GHz", "memory": "16 GiB", "power": LINEAR}
    host = {"name": "h", "count": hosts, "server": server, "off_power": "0 W",
            "boot": {"duration": "0 s"}, "shutdown": {"duration": "0 s"}}  # fmt: skip
    size = {"name": "a", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB", "count": 3}
    return farmsim.run({
        "name": "leaving", "run": {"duration": "30 min"}, "farm": {"hosts": [host]},
        "workload": {"source": {"type": "csv", "path": str(trace)}, "sizes": [size],
                     "match_series_by": "position"},
        "policies": {"every": "60 s", "initial": {"placement": "first_fit", "count_by": "demand"},
                     "control": control},
        "migration": {"model": "fixed_rate", "bandwidth": "100 Mbit/s", "bandwidth_share": "100 %"},
        "baseline": {"type": "none"},
    })  # fmt: skip


def drained_at(result: Result, host: str) -> float:
    events = result.table("power_events").to_pylist()
    return float(next(
        row["time_s"] for row in events if (row["host"], row["state"]) == (host, "draining")
    ))  # fmt: skip


@pytest.mark.parametrize("control", [CONSOLIDATION, COMBINED])
def test_a_host_is_drained_while_a_vm_still_leaves_it(
    control: dict[str, Any], tmp_path: Path
) -> None:
    """At 60 s the first VM leaves a full host; at 120 s the load falls, and the rest follows.

    The first VM takes its 40 % on the other host once: 40, 20 and 10 % are 70 %.
    """
    load = "time,v0,v1,v2\n0,60,30,10\n60,60,30,10\n120,40,20,10\n180,40,20,10\n"
    result = run(load, tmp_path, control)
    moves = result.table("migrations").to_pylist()
    begun = {row["vm"]: row["decided_s"] for row in moves}
    assert begun == {"v0": 60.0, "v1": 120.0, "v2": 120.0}
    assert {row["target"] for row in moves} == {"h-2"}
    assert drained_at(result, "h-1") == 120.0


def test_a_band_empties_a_host_while_a_vm_still_leaves_it(tmp_path: Path) -> None:
    """Dynamic power management does as well: nobody waits for the first to arrive."""
    load = "time,v0,v1,v2\n0,60,30,10\n60,60,30,10\n120,20,10,5\n180,20,10,5\n"
    control = {"policy": "dynamic_power", "target": "60 %", "tolerance": "10 %"}
    moves = run(load, tmp_path, control).table("migrations").to_pylist()
    first = min(row["decided_s"] for row in moves)
    ends = min(row["end_s"] for row in moves)
    later = [row["decided_s"] for row in moves if row["decided_s"] > first]
    assert later
    assert min(later) < ends
