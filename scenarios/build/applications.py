"""Build applications: rows of VMs, load over time, and scaling.

Every application takes as many rows as it may have members, after the Number of VMs in the
workload. Its load is laid out beforehand at the period at which applications are looked at, so that
a run only indexes it.
"""

from dataclasses import replace
from pathlib import Path
from typing import assert_never

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.workload.application import Applications
from ...models.workload.application_load import between, daily, event, held
from ...models.workload.vm_size import VmSize
from ...policies.scaling.vertical_scaling import VerticalScaling
from ...sim.resizing import MemberSize, ScalingRule
from ...sim.scaling import Elasticity
from ..errors.problems import InputError, refuse
from ..language.names import Numbered
from ..language.table_times import times_of
from ..readers.vm_columns import vms_of
from ..spec.applications import ApplicationPart, ConstantRate, DailyRate, FileRate, TableRate
from ..spec.scenario_data import ScenarioData
from ..traces.archive import read_file
from ..traces.table_columns import column_of, csv_columns, numbers_of
from ..traces.trace import InputFile, no_samples
from .hypervisors import Stack, class_of
from .workload import Load, Recording

COURSES = {"hold": held, "linear": between}
UNITS_MHZ = {"GHz": 1e3, "MHz": 1.0}


def add_applications(load: Load, scenario: ScenarioData) -> Load:
    """Return a load with the members of the scenario's applications after its own VMs.

    A load without applications is returned as it is. Raises InputError for files of load, and for
    names of members that VMs of the load have.

    Rows of members follow those of the VMs, application by application, each with as many rows as
    it may have members. Names are ``name-1`` and so on; the error for names that occur twice points
    to ``applications.name``.
    """
    parts = scenario.applications
    if not parts:
        return load
    number = {size.name: index for index, size in enumerate(load.sizes)}
    for part in parts:
        if part.size not in number:
            message = "the trace defines the sizes; list them under workload.sizes to name one here"
            raise refuse(scenario.name, message, "applications.size")
    maximum = np.array([part.max_members for part in parts])
    members = np.repeat([number[part.size] for part in parts], maximum)
    names = [*load.vms.names]
    for part in parts:
        names += Numbered(part.name, part.max_members)
    twice = len(names) - len(set(names))
    if twice:
        message = f"{twice} VMs have the same names as members; rename the application"
        raise refuse(scenario.name, message, "applications.name")
    vms = vms_of(load.sizes, np.concatenate([load.vms.size, members]), names)
    made = [_load_of(part, scenario) for part in parts]
    return replace(
        load,
        vms=vms,
        files=[*load.files, *(each.file for each in made if each.file is not None)],
        applications=_applications(parts, len(load.vms), maximum, scenario, made),
        source=_described(load, len(parts)),
        recordings=[*load.recordings, *(each.recording for each in made if each.recording)],
    )


def _described(load: Load, applications: int) -> str:
    """Return in words where the load of a run comes from, applications included."""
    what = f"{applications} application{'s' if applications > 1 else ''}"
    return f"{load.source}, and {what}" if len(load.vms) else what


def _applications(
    parts: tuple[ApplicationPart, ...],
    first: int,
    maximum: Ints,
    scenario: ScenarioData,
    made: list["_Made"],
) -> Applications:
    """Return the columns of the applications, whose members begin at row ``first``.

    ``maximum`` (applications,) is the number of rows of each, ``made`` the load of each.

    ``load_mhz`` of the result is (steps, applications), at steps of ``policies.scaling_every``.
    """
    return Applications(
        names=[part.name for part in parts],
        first_row=first + np.cumsum(maximum) - maximum,
        minimum=np.array([part.min_members for part in parts]),
        maximum=maximum,
        start=np.array([part.first_members for part in parts]),
        by_capacity=np.array([part.load_balancing == "least_loaded" for part in parts]),
        priority=np.array([part.priority for part in parts]),
        work_mhz_s=np.array([_work_mhz_s(part, scenario) for part in parts]),
        load_mhz=np.stack([each.load_mhz for each in made], axis=1),
        step_s=scenario.policies.scaling_every,
    )


def _work_mhz_s(part: ApplicationPart, scenario: ScenarioData) -> float:
    """Return the work of one request of an application, 0 where the module defines no class.

    In MHz s, at the scenario's level of overheads.
    """
    size = next(size for size in scenario.workload.sizes if size.name == part.size)
    made_of = class_of(size, scenario.overheads)
    return made_of.work_mhz_s if made_of else 0.0


@dataclass(frozen=True)
class _Made:
    """Load of an application at the start of every step, and its file.

    ``load_mhz`` (steps,) is work in MHz; ``recording`` tells how long a load from a file lasts.
    """

    load_mhz: Floats
    file: InputFile | None = None
    recording: Recording | None = None


def _load_of(part: ApplicationPart, scenario: ScenarioData) -> _Made:
    """Return the load of an application, in MHz of work asked for at each step of a run.

    A load in requests per second is multiplied by the work of one request. Events multiply it.
    Raises InputError for what a file of load says.
    """
    step_s = scenario.policies.scaling_every
    steps = int(np.ceil(scenario.run.duration / step_s))
    times_s: Floats = np.arange(steps, dtype=np.float64) * step_s
    file: InputFile | None = None
    recording: Recording | None = None
    load = part.load
    if isinstance(load, ConstantRate):
        rate = np.full(len(times_s), load.rate.amount)
    elif isinstance(load, TableRate):
        amounts = np.array([each.amount for each in load.rates])
        rate = COURSES[load.interpolation](times_s, np.array(load.times), amounts)
    elif isinstance(load, DailyRate):
        peak, trough = load.peak.amount, load.trough.amount
        rate = daily(times_s, peak, trough, load.peak_at, load.weekend)
    elif isinstance(load, FileRate):
        at_s, values, file = _read(load, scenario.folder)
        if len(at_s) > 1:
            length_s = float(at_s[-1] + np.diff(at_s).min())
            recording = Recording(f"load of {part.name}, {load.path}", length_s, "hold")
        rate = COURSES[load.interpolation](times_s, at_s, values) * UNITS_MHZ.get(load.unit, 1.0)
    else:
        assert_never(load)
    for each in part.events:
        rate = rate * event(times_s, each.begin, each.end, each.factor, each.ramp)
    load_mhz = rate * (_work_mhz_s(part, scenario) if part.in_requests else 1.0)
    return _Made(load_mhz, file, recording)


def _read(load: FileRate, folder: Path) -> tuple[Floats, Floats, InputFile]:
    """Return instants in s from the first row on, values as written, and the file.

    Raises InputError where times do not ascend or a value is negative, infinite or missing.

    Rows are counted as the file does, the header being row 1. The first instant becomes time 0.
    """
    where = load.path
    content = read_file(folder / where, where)
    columns = csv_columns(content, where)
    at_s = times_of(column_of(columns, load.time, where), load.time, where, 2, load.time_unit)
    values = numbers_of(column_of(columns, load.value, where), load.value, where, 2)
    if not len(at_s):
        raise InputError([no_samples(where)])
    back = np.flatnonzero(np.diff(at_s) <= 0)
    if len(back):
        message = "is not later than the row above; sort the rows by time"
        raise refuse(f"{where}:{int(back[0]) + 3}", message)
    wrong = np.flatnonzero(~(values >= 0) | np.isinf(values))
    if len(wrong):
        row = int(wrong[0])
        message = f"{values[row]:g} in column {load.value!r} is not a load; write 0 or more"
        if np.isnan(values[row]):
            message = f"the cell in column {load.value!r} is empty; write a load of 0 or more"
        raise refuse(f"{where}:{row + 2}", message)
    return at_s - at_s[0], values, InputFile.of(where, content)


def elasticity_of(scenario: ScenarioData, load: Load, stack: Stack) -> Elasticity | None:
    """Return how the applications of a load scale; None where there are none.

    A policy that resizes members may give them any size of its ladder; others know one size.

    Cool-downs are in s. An application without a policy keeps the members that it starts with.
    """
    if load.applications is None:
        return None
    rules = []
    for part in scenario.applications:
        policy = part.scaling
        names = policy.sizes if isinstance(policy, VerticalScaling) else (part.size,)
        rules.append(
            ScalingRule(
                policy,
                part.size,
                {name: _member(name, load.sizes, stack) for name in names},
                part.cool_down.out,
                part.cool_down.in_,
                part.scale_in_order == "newest_first",
                part.protected_members,
            )
        )
    return Elasticity(load.applications, rules)


def unscaled(load: Load, scenario: ScenarioData, stack: Stack) -> Elasticity | None:
    """Return the same applications with all members there all the time; None without any.

    That is what a baseline compares with: nobody decides on members.
    """
    elasticity = elasticity_of(scenario, load, stack)
    if elasticity is None:
        return None
    rules = [
        ScalingRule(None, rule.size, {rule.size: rule.sizes[rule.size]})
        for rule in elasticity.rules
    ]
    return Elasticity(elasticity.applications.full(), rules)


def _member(name: str, sizes: list[VmSize], stack: Stack) -> MemberSize:
    """Return a size as members of an application have it, with the CPU that it can get.

    The limit of the layer holds where it is below the size's own CPU (MHz).

    ``name`` is a size of the workload; that it exists has been checked.
    """
    number = next(index for index, size in enumerate(sizes) if size.name == name)
    size = sizes[number]
    own_mhz = size.vcpus * size.clock_mhz
    limit_mhz = float(stack.layer.limit_mhz[number])
    return MemberSize(name, number, size.vcpus, own_mhz, size.memory_mib, min(own_mhz, limit_mhz))
