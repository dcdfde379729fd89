"""Plain functions are policies of every kind: named in a scenario, registered, handed over."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.policies import catalogue
from farmsim.policies.interface.plan import Plan
from farmsim.policies.interface.view import FarmView

MODULE = '''
"""Policies as functions."""
import numpy as np
from farmsim.models.base.arrays import Ints
from farmsim.models.migration.course import MigrationEnd, Step
from farmsim.policies.interface.plan import Plan
from farmsim.policies.scaling.scaling import Wanted


def last_fit(candidates, vms):
    """Put each VM on the last host that has room for it."""
    hosts = []
    for vm in vms.tolist():
        fits = np.flatnonzero(~candidates.full(np.array([vm]))[0])
        hosts.append(int(candidates.hosts[fits[-1]]) if len(fits) else -1)
    return hosts


def taking(candidates, vms):
    """Put each VM on the first host that has room for it, and take the room."""
    hosts = np.full(len(vms), -1)
    for index, vm in enumerate(vms.tolist()):
        for position, host in enumerate(candidates.hosts.tolist()):
            if candidates.fits(vm, position):
                candidates.take(vm, position)
                hosts[index] = host
                break
    return hosts


def always(history_mhz, capacity_mhz):
    """Call every host overloaded."""
    return np.ones(len(capacity_mhz)), np.zeros(len(capacity_mhz))

always.samples = 1


def first(view, vms):
    """Take the first VM."""
    return 0


def by_row(view, overloaded):
    """Empty hosts in the order of the farm."""
    return [row for row in range(len(view.hosts)) if row not in overloaded]


def spread(view):
    """Move one VM to a host of its own, and say why in words."""
    plan = Plan()
    free = np.flatnonzero(view.awake() & (view.hosts.vm_count == 0))
    full = np.flatnonzero(view.hosts.vm_count > 1)
    if len(free) and len(full):
        plan.move(view.vms_on(full)[0], free[0], "one host for each VM")
    return plan


def two(view):
    """Ask for two members."""
    return 2


def as_now(history, step_s, steps):
    """Expect the newest value."""
    return np.repeat(history[-1:], steps, axis=0)


def at_once(guest):
    """Copy the memory in one piece while the guest stands still."""
    yield Step("copy", size_bytes=guest.memory_bytes, guest_share=0.0, down=True)
    yield Step("arrive", arrived=True)
    return MigrationEnd(moved=True)
'''

CONSOLIDATION = "policy: consolidation"
APPLICATION = (
    "name: a, size: s, min_members: 1, max_members: 3, load: {type: constant, rate: 1 GHz}"
)
NAMED = {
    "placement": ["policies.initial.placement={policy: 'own_functions:last_fit'}"],
    "overload": [
        f"policies.control={{{CONSOLIDATION}, overload: {{policy: 'own_functions:always'}}}}"
    ],
    "selection": [
        f"policies.control={{{CONSOLIDATION}, overload: {{policy: static_threshold, "
        "threshold: 1 %}, selection: {policy: 'own_functions:first'}}"
    ],
    "drain": [f"policies.control={{{CONSOLIDATION}, drain: {{policy: 'own_functions:by_row'}}}}"],
    "control": ["policies.control={policy: 'own_functions:spread'}"],
    "scaling": [f"applications=[{{{APPLICATION}, scaling: {{policy: 'own_functions:two'}}}}]"],
    "forecast": [
        "policies.power={wake_ahead: 20 min, forecast: {policy: 'own_functions:as_now'}}",
        "policies.control=power_proportional",
    ],
    "migration": [
        "migration={model: 'own_functions:at_once'}",
        "policies.control={policy: 'own_functions:spread'}",
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_functions.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(catalogue, "_added", {kind: {} for kind in catalogue.KINDS})
    yield
    sys.modules.pop("own_functions", None)


def run(*overrides: str, **parts: Any) -> farmsim.Result:
    """Run four hosts and four VMs, all on the first, for an hour."""
    base = {
        "farm": {
            "hosts": [{"name": "h", "server": "dell_r720_e5_2670", "count": 4, "memory": "64 GiB"}]
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "30 %"},
            "vms": 4,
            "sizes": [{"name": "s", "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB"}],
        },
        "run": {"duration": "1 h"},
        "baseline": {"type": "none"},
    }
    return farmsim.run(base | parts, *overrides, allow_code=True)


@pytest.mark.parametrize("kind", sorted(NAMED))
def test_a_scenario_names_functions_of_every_kind(kind: str) -> None:
    assert run(*NAMED[kind]).value("vms_ran") >= 4


def test_a_function_decides_what_happens() -> None:
    placed = run(*NAMED["placement"], "policies.control=none").table("decisions").to_pylist()
    assert {row["target"] for row in placed} == {"h-4"}
    members = run(*NAMED["scaling"], "policies.control=none").value("vms_ran")
    assert members == 6


def test_a_reason_in_words_stands_in_the_tables_and_in_a_vms_history() -> None:
    result = run(*NAMED["migration"])
    moved = [row for row in result.table("decisions").to_pylist() if row["outcome"] == "moved"]
    assert len(moved) == 3
    assert {row["rule"] for row in moved} == {"one host for each VM"}
    assert {(row["source"], row["measured"], row["limit"]) for row in moved} == {("h-1", 0.0, 0.0)}
    assert "one host for each VM; is to migrate to" in result.vm_history(moved[0]["vm"]).text()
    stood_s = result.table("migrations").column("downtime_s").to_pylist()
    assert min(stood_s) > 0


def test_the_resolved_scenario_names_the_function() -> None:
    folder = run(*NAMED["control"]).save("out")
    resolved = (folder / "scenario.resolved.yaml").read_text("utf-8")
    assert "own_functions:spread" in resolved
    again = farmsim.run("out/scenario.resolved.yaml", allow_code=True)
    assert again.value("migrations") == 3


def fill_first(candidates: Any, vms: Any) -> Any:
    """Put each VM on the first host with room."""
    return [int(candidates.hosts[0])] * len(vms)


def do_nothing(view: FarmView) -> Plan:
    """Decide nothing."""
    del view
    return Plan()


def test_functions_are_registered_and_handed_over() -> None:
    farmsim.register("placement", "fill_first", fill_first)
    assert run("policies.initial.placement=fill_first").value("hosts_on_peak") >= 1
    assert run(policies={"control": do_nothing}).value("migrations") == 0
    kept = catalogue.available("placement")["fill_first"]()
    assert type(pickle.loads(pickle.dumps(kept))) is type(kept)
    assert kept.__doc__ == fill_first.__doc__


@pytest.mark.parametrize(
    ("kind", "function", "message"),
    [
        ("placement", lambda vms: vms, "cannot be called with 2 arguments; write def"),
        ("control", lambda view, more: (view, more), "cannot be called with 1 arguments"),
        ("control", 5, "it is 5 and no dataclass; a control policy is a frozen dataclass, or"),
        ("overload", type("Plain", (), {}), "no dataclass"),
    ],
)
def test_what_is_no_policy_is_refused_at_once(kind: str, function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        farmsim.register(kind, "mine", function)


def test_hosts_that_fill_up_have_to_be_taken() -> None:
    with pytest.raises(farmsim.PolicyError, match="which has no room for it; name a host only"):
        run(*NAMED["placement"], "workload.vms=80", "policies.control=none")
    taking = ["policies.initial.placement={policy: 'own_functions:taking'}", "workload.vms=80"]
    targets = run(*taking, "policies.control=none").table("decisions").column("target")
    assert len(set(targets.to_pylist())) > 1
