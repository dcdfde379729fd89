"""Time one stage of farmsim in the interpreter that runs this file, and print it as JSON.

``stages.py simulation SCENARIO [OVERRIDE ...]`` times building and playing a scenario, apart;
``stages.py build SCENARIO [OVERRIDE ...]`` only building it, in which traces are read;
``stages.py transfers HOSTS AT_A_TIME`` ten transfers from each host over a fat tree. Speed
measurements run it with the interpreter of any version, so it uses only what they have in common.
"""

import json
import sys
import time
from collections.abc import Sequence

Figures = dict[str, float]


def built(scenario: str, *overrides: str) -> Figures:
    """Return the CPU time in s of building a scenario, its file read and checked beforehand."""
    return _engine(scenario, overrides)[1]


def simulation(scenario: str, *overrides: str) -> Figures:
    """Return the CPU time in s of building a scenario and of its simulation, and what it did."""
    engine, figures = _engine(scenario, overrides)
    start_s = time.process_time()
    outcome = engine.run()
    simulation_s = time.process_time() - start_s
    migrations = len(outcome.tables["migrations"]["vm"])
    return {**figures, "simulation_s": simulation_s, "migrations": migrations}


def _engine(scenario: str, overrides: Sequence[str]) -> tuple[object, Figures]:
    """Return the engine of a scenario and how long building it took, in s."""
    from farmsim import Scenario  # noqa: PLC0415 - only the stage that needs it
    from farmsim.scenarios.build.build import build  # noqa: PLC0415

    loaded = Scenario.load(scenario, *overrides)
    start_s = time.process_time()
    case = build(loaded)
    build_s = time.process_time() - start_s
    size = {"hosts": len(case.farm.hosts), "vms": len(case.farm.vms)}
    return case.engine, {"build_s": build_s, **size}


def transfers(hosts: str, at_a_time: str) -> Figures:
    """Return the CPU time in s of ten transfers from each host, so many under way at a time.

    ``at_a_time`` is a multiple of the hosts.
    """
    import network  # noqa: PLC0415

    each = int(at_a_time) // int(hosts)
    return network.measured(network.Load(int(hosts), int(hosts), 10, each))


STAGES = {"simulation": simulation, "build": built, "transfers": transfers}

if __name__ == "__main__":
    print(json.dumps(STAGES[sys.argv[1]](*sys.argv[2:])))
