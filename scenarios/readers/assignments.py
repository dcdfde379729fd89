"""Read assignments of VMs to hosts from files, and check them.

Every VM and host must exist, every VM stand there once, whether the scenario writes the assignment
itself or names a CSV table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...policies.control.control import ControlPolicy
from ...policies.control.reassign import Reassign
from ..errors.problems import InputError, Problem
from ..errors.suggest import unknown_name
from ..spec.scenario_data import ScenarioData
from ..traces.archive import read_file
from ..traces.table_columns import csv_columns

FIELD = "policies.control.assignment"
SHOWN = 1000


def with_assignments(
    scenario: ScenarioData, vms: Sequence[str], hosts: Sequence[str]
) -> ScenarioData:
    """Return a scenario whose assignments are mappings of names that exist. Raises InputError.

    ``vms`` and ``hosts`` are the names of the run, in the order of their rows. A policy that holds
    another one is followed inwards. All faults of an assignment are told at once, in the table with
    their rows.
    """
    control = scenario.policies.control
    found = _with_assignment(control, scenario.folder, vms, hosts)
    if found is control:
        return scenario
    policies = scenario.policies.model_copy(update={"control": found})
    return scenario.model_copy(update={"policies": policies})


def _with_assignment(
    control: ControlPolicy, folder: Path, vms: Sequence[str], hosts: Sequence[str]
) -> ControlPolicy:
    """Return a policy whose assignment is a mapping, and that of the policy that it holds."""
    other = getattr(control, "base_policy", None)
    if other is not None:
        found = _with_assignment(other, folder, vms, hosts)
        control = control if found is other else _holding(control, found)
    if not isinstance(control, Reassign):
        return control
    written = control.assignment
    if isinstance(written, str):
        rows = list(_rows(folder / written, written))
    else:
        rows = [("scenario", vm, host) for vm, host in written.items()]
    problems = [*_faults(rows, vms, hosts), *_repeated(rows)]
    if problems:
        raise InputError(problems)
    return replace(control, assignment={vm: host for _, vm, host in rows})


def _holding(control: Any, other: ControlPolicy) -> ControlPolicy:
    """Return a policy that holds another policy instead of the one that it had."""
    policy: ControlPolicy = replace(control, base_policy=other)
    return policy


Row = tuple[str, str, str]
"""Where an entry stands, the VM and the host."""


def _rows(path: Path, where: str) -> Iterator[Row]:
    """Yield place, VM and host of each row of a CSV table. Raises InputError."""
    columns = csv_columns(read_file(path, where), where)
    missing = [name for name in ("vm", "host") if name not in columns]
    if missing:
        message = f"has no column {missing[0]!r}; it needs the columns vm and host"
        raise InputError([Problem(f"{where}:1", FIELD, message)])
    for number, (vm, host) in enumerate(zip(columns["vm"], columns["host"], strict=True), 2):
        yield f"{where}:{number}", str(vm).strip(), str(host).strip()


def _faults(rows: Sequence[Row], vms: Sequence[str], hosts: Sequence[str]) -> Iterator[Problem]:
    """Yield names of VMs and hosts that do not exist."""
    known: Mapping[str, set[str]] = {"VM": set(vms), "host": set(hosts)}
    for where, vm, host in rows:
        for what, name, names in (("VM", vm, vms), ("host", host, hosts)):
            if name not in known[what]:
                yield Problem(where, FIELD, unknown_name(what, name, list(names)[:SHOWN]))


def _repeated(rows: Sequence[Row]) -> list[Problem]:
    """Return VMs that are assigned a second time."""
    seen: dict[str, str] = {}
    problems = []
    for where, vm, _ in rows:
        if vm in seen:
            message = f"VM {vm} has a host at {seen[vm]} already; list it once"
            problems.append(Problem(where, FIELD, message))
        seen.setdefault(vm, where)
    return problems
