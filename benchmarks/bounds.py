"""What the lower bounds cost: ``python benchmarks/bounds.py [--json]``.

CPU time of holding each step against its bounds: as a share of the engine's time on two library
scenarios, and per step of a farm of 100,000 VMs on 10,000 hosts.
"""

import json
import statistics
import sys
import time
from unittest.mock import patch

from farmsim.scenarios.build.build import build
from farmsim.scenarios.scenario import Scenario
from farmsim.sim.records.bounds import BoundsRecord

LARGE = (
    "farm.hosts.0.count=10000", "workload.vms=100000", "run.duration=1 h",
    "policies.initial.placement=round_robin", "policies.control=none",
)  # fmt: skip


def measure(name: str, *overrides: str) -> dict[str, float]:
    """Return the time of the bounds, per step and as a share of the run.

    ``ms_per_step`` is the median over steps, ``share`` the sum over the CPU time of the engine's
    run, which includes the bounds. ``name`` is a library scenario.
    """
    case, took_s, note = build(Scenario.load(f"library/{name}", *overrides)), [], BoundsRecord.note

    def timed(bounds: BoundsRecord, now_s: float) -> None:
        began_s = time.process_time()
        note(bounds, now_s)
        took_s.append(time.process_time() - began_s)

    with patch.object(BoundsRecord, "note", timed):
        began_s = time.process_time()
        case.engine.run()
        run_s = time.process_time() - began_s
    # The first note only looks around.
    step_s = statistics.median(took_s[1:])
    return {"ms_per_step": 1e3 * step_s, "share": sum(took_s) / run_s}


def main() -> None:
    """Print a line per case, or JSON."""
    cases = {"planetlab-day": (), "beloglazov2012": (), "100,000 VMs": LARGE}
    found = {
        name: measure("planetlab-day" if overrides else name, *overrides)
        for name, overrides in cases.items()
    }
    if "--json" in sys.argv[1:]:
        print(json.dumps(found))
        return
    for name, each in found.items():
        print(f"{name:16} {each['ms_per_step']:6.3f} ms a step, {each['share']:6.2%} of the run")


if __name__ == "__main__":
    main()
