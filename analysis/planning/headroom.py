"""Headroom of a scenario: what still fits on each cluster, and what limits it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...models.base.arrays import Floats, added
from ...models.base.lazy_dataclass import dataclass
from ...models.sizing.floors import oversized
from ...models.sizing.headroom import BY_SUMS, Headroom, ReferenceVm, headroom, median_vm
from ...models.sizing.planned_farm import CPU, MEMORY, VCPUS, PlannedVms
from ...scenarios.build.build import load_of
from ...scenarios.errors.problems import refuse
from ...scenarios.scenario import Scenario
from ...scenarios.spec.planning import NO_CLUSTER, WHOLE
from ..base.wording import percent
from ..report.vm_sentences import plural
from .failure_tables import INCOMPLETE, NO_HOST, amounts, named
from .load_tiers import CpuNeed, cpu_needs
from .planned_farm import Plan, PlannedCluster, plan_of

VM = re.compile(r"(\d{1,6})\s*c\s*(\d{1,9}(?:\.\d{1,6})?)\s*g(?:i?b)?", re.IGNORECASE)
"""``4c16g``: vCPUs and memory in GiB."""
SIZES_ONLY = "L0"
"""The tier of a load of which nothing but the sizes of the VMs is known."""
WORDS: Mapping[str, str] = {
    "memory": "memory", "vcpus": "vCPUs per core", "cpu": "CPU", "apart": "rules",
    "rules": "rules", "placement": "placement",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ClusterHeadroom:
    """Headroom of one cluster; ``found`` is None where there is no figure, ``why`` says why.

    ``ends`` are the answers at the low and at the high end of what is known of the CPU demand;
    empty where it is known without a band.
    """

    cluster: PlannedCluster
    vm: ReferenceVm
    found: Headroom | None
    why: str
    large: Sequence[str]
    ends: Sequence[Headroom] = ()

    def limiter(self) -> dict[str, str] | None:
        """Return the resource that limits the joint number, and the case in which."""
        if self.found is None:
            return None
        return {"resource": self.found.limiter, "case": case_words(self.found.case)}

    def sentence(self) -> str:
        """Return the answer for the cluster."""
        found = self.found
        if found is None:
            return f"no figure: {self.why}"
        if found.fails:
            case = f" ({case_words(found.case)})" if found.case else ""
            return f"0, since it fails already{case}: {found.reason}"
        reason = "" if found.reason == BY_SUMS else f"; one more: {found.reason}"
        said = f"{found.joint:,}, limited by {WORDS[found.limiter]} ({case_words(found.case)})"
        moved = found.joint - found.in_place
        placed = (self.cluster.farm.home >= 0).any()
        moves = f"; {found.in_place:,} if no present VM migrates" if moved and placed else ""
        return f"{said}{moves}{self._band()}{reason}"

    def _band(self) -> str:
        """Return how far the answer depends on what is not known of the CPU demand."""
        joint = sorted(end.joint for end in self.ends)
        if not joint or joint[0] == joint[-1]:
            return ""
        return f"; {joint[0]:,} to {joint[-1]:,} over the band of the CPU demand"

    def ghz(self, cpu_known: bool) -> str:
        """Return the independent maximum of CPU as text, a range over the band of the demand."""
        if self.found is None or not cpu_known:
            return "unknown"
        ends = sorted(float(end.independent[CPU]) / 1000 for end in self.ends)
        if ends:
            return f"{ends[0]:,.0f} to {ends[-1]:,.0f}"
        return f"{self.found.independent[CPU] / 1000:,.1f}"

    def to_dict(self, cpu_known: bool) -> dict[str, Any]:
        """Return plain values."""
        found = self.found
        return {
            "name": self.cluster.name,
            "hosts": len(self.cluster.farm.hosts),
            "out_of_service": list(self.cluster.out_of_service),
            "vms": len(self.cluster.farm.vms),
            "reserve": self.cluster.reserve,
            "independent": None if found is None else _values(found.independent, cpu_known),
            "joint": None if found is None else found.joint,
            "joint_without_migrations": None if found is None else found.in_place,
            "over_cpu_band": [
                {"cpu_demand": end, "joint": each.joint, **_values(each.independent, cpu_known)}
                for end, each in zip(("low", "high"), self.ends, strict=False)
            ],
            "limiter": self.limiter(),
            "stranded": None if found is None else _values(found.stranded, cpu_known),
            "lost_to_fragmentation": None if found is None else found.by_sums - found.joint,
            "verdict": self.sentence(),
            "no_figure_because": self.why or None,
            "large_vms": list(self.large),
            "rules_left_out": list(self.cluster.farm.left_out),
        }


@dataclass(frozen=True, eq=False)
class FarmHeadroom:
    """Headroom of all clusters of a farm. ``vm_basis`` is ``yours`` or ``median VM``.

    ``cpu_basis`` says in words where the CPU demand comes from, ``cpu_known`` whether it is known.
    """

    plan: Plan
    vm: ReferenceVm
    vm_basis: str
    clusters: Sequence[ClusterHeadroom]
    cpu_known: bool
    cpu_basis: str
    cpu_confidence: str
    ceilings: str = ""
    """What planning ceilings leave of the memory, as a clause; empty for all of it."""
    size_confidence: str = "high"
    """Confidence in memory and vCPUs: lower where host rows are missing."""

    @property
    def counted(self) -> list[ClusterHeadroom]:
        """The clusters that have a figure."""
        return [each for each in self.clusters if each.found is not None]

    def _sum(self, field: str) -> Floats | None:
        """Return the sum of an array of all clusters with a figure; None without any."""
        found = [getattr(each.found, field) for each in self.counted]
        return np.sum(found, axis=0) if found else None

    @property
    def joint(self) -> int | None:
        """The number of reference VMs that fit on all clusters with a figure; None without any."""
        found = [each.found.joint for each in self.counted if each.found is not None]
        return int(added(found)) if found else None

    def limiter(self) -> dict[str, str] | None:
        """Return what limits: the same in all clusters with a figure, else that it differs."""
        found = [each.limiter() for each in self.counted]
        first = found[0] if found else None
        if first is None or all(each == first for each in found):
            return first
        resources = {each["resource"] for each in found if each}
        one = resources.pop() if len(resources) == 1 else "differs by cluster"
        return {"resource": one, "case": "differs by cluster"}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: those of the farm, then each cluster.

        Sums are over clusters with a figure; None where none has one.
        """
        independent, stranded = self._sum("independent"), self._sum("stranded")
        limits, basis = self.plan.limits, self.plan.basis
        return {
            "name": self.plan.name,
            "vm": {
                "vcpus": self.vm.vcpus,
                "memory_gib": round(self.vm.memory_mib / 1024, 3),
                "basis": self.vm_basis,
            },
            "independent": None if independent is None else _values(independent, self.cpu_known),
            "joint": self.joint,
            "limiter": self.limiter(),
            "stranded": None if stranded is None else _values(stranded, self.cpu_known),
            "clusters": [each.to_dict(self.cpu_known) for each in self.clusters],
            "limits": {
                name: {"value": getattr(limits, name), "basis": basis[name]}
                for name in type(limits).__dataclass_fields__
            },
            "confidence": {
                "memory": self.size_confidence, "vcpus": self.size_confidence,
                "cpu": self.cpu_confidence,
            },
            "basis": {"memory": "configured", "vcpus": "configured", "cpu": self.cpu_basis},
            "notes": self.notes(),
        }  # fmt: skip

    def text(self) -> str:
        """Return the answer: the farm, each cluster, what is left over, limits and bases."""
        vm = f"{self.vm.vcpus} {'vCPU' if self.vm.vcpus == 1 else 'vCPUs'}"
        lines = [f"{self.plan.name}: {self._headline(vm)}"]
        if len(self.clusters) > 1:
            lines += [f"{each.cluster.name}: {each.sentence()}" for each in self.clusters]
        if any(not each.found.fails for each in self.counted if each.found is not None):
            lines += ["", self._table()]
        return "\n".join([*lines, "", *self.notes()])

    def _headline(self, vm: str) -> str:
        """Return the answer for the farm in one line."""
        size = f"{vm} and {self.vm.memory_mib / 1024:.4g} GiB ({self.vm_basis})"
        if len(self.clusters) == 1:
            return f"VMs of {size} that still fit: {self.clusters[0].sentence()}"
        if self.joint is None:
            return f"no figure for VMs of {size}"
        left_out = len(self.clusters) - len(self.counted)
        apart = ""
        if left_out:
            verb = "has" if left_out == 1 else "have"
            apart = f", without {plural(left_out, 'cluster')} that {verb} no figure"
        return f"{self.joint:,} VMs of {size} still fit{apart}"

    def _table(self) -> str:
        """Return the independent maxima and what is left over, a row per cluster."""
        head = (
            f"{'':24}{'hosts':>7}{'VMs':>7}{'down':>6}   each alone: {'vCPUs':>8}{'GiB':>10}"
            f"{'GHz':>13}   left after all: {'vCPUs':>8}{'GiB':>10}"
        )
        rows = [head]
        for each in self.counted:
            assert each.found is not None
            if each.found.fails:
                continue
            ghz = each.ghz(self.cpu_known)
            alone, left = each.found.independent, each.found.stranded
            farm = each.cluster.farm
            rows.append(
                f"{farm.name:24}{len(farm.hosts):7,}{len(farm.vms):7,}{each.cluster.reserve:6}"
                f"{'':15}{alone[VCPUS]:8,.0f}{alone[MEMORY] / 1024:10,.0f}{ghz:>13}"
                f"{'':19}{left[VCPUS]:8,.0f}{left[MEMORY] / 1024:10,.0f}"
            )
        return "\n".join(rows)

    def notes(self) -> list[str]:
        """Return what a reader has to know of the figures."""
        limits, basis = self.plan.limits, self.plan.basis
        shown = {
            "memory": f"{100 * limits.memory:g} % of usable memory{self.ceilings}",
            "vcpus_per_core": f"{limits.vcpus_per_core:g} vCPUs per core",
            "vcpus_per_core_failure": f"{limits.vcpus_per_core_failure:g} during a failure",
            "cpu": f"{100 * limits.cpu:g} % of CPU",
            "cpu_two_failures": f"{100 * limits.cpu_two_failures:g} % with two hosts down",
        }
        found = [
            "Each alone: how much one resource may grow until it breaks a limit in its worst case, "
            "the others as they are. The number of VMs is joint: all are placed, and every failure "
            "of the reserve is tried.",
            "Limits: " + ", ".join(f"{text} ({basis[name]})" for name, text in shown.items()) + ".",
            f"CPU, confidence {self.cpu_confidence}: {self.cpu_basis}."
            if self.cpu_known
            else f"CPU is left out of account: nothing is known of the demand ({self.cpu_basis}).",
        ]
        for each in self.counted:
            assert each.found is not None
            name = each.cluster.name
            lost = each.found.by_sums - each.found.joint
            if lost and each.found.joint:
                more = "1 more VM" if lost == 1 else f"{lost:,} more VMs"
                found.append(
                    f"{name}: sums would allow {more}, but what is free is in pieces that are too "
                    "small."
                )
            if each.large:
                found.append(
                    f"{name}: VMs of more than {100 * limits.largest_vm:g} % of the largest host, "
                    f"which restart on few hosts: {named(each.large)}."
                )
            if each.cluster.farm.left_out:
                rules = ", ".join(each.cluster.farm.left_out)
                found.append(f"{name}: rules left out of account: {rules}.")
            if each.cluster.out_of_service:
                found.append(
                    f"{name}: not in service, so no supply: {named(each.cluster.out_of_service)}."
                )
        return found


def case_words(case: str) -> str:
    """Return a failure case in words."""
    return "all hosts up" if case in ("all hosts", "") else f"loss of {case}"


def _values(values: Floats, cpu_known: bool) -> dict[str, float | None]:
    """Return amounts for results: whole vCPUs, GiB and GHz; CPU None where unknown."""
    found = amounts(np.maximum(values, 0.0), cpu_known)
    return {
        "vcpus": int(values[VCPUS] + 1e-6),
        "memory_gib": found["memory_gib"],
        "ghz": found["cpu_ghz"],
    }


def parse_vm(text: str, where: str, option: str = "--vm") -> tuple[int, float]:
    """Return vCPUs and MiB of a text such as ``4c16g``. Raises InputError at the option."""
    match = VM.fullmatch(text.strip())
    if match is None:
        raise refuse(where, f"{text!r} is no VM; write vCPUs and GiB, e.g. 4c16g", option)
    vcpus, memory_mib = int(match[1]), float(match[2]) * 1024
    if vcpus < 1 or memory_mib <= 0:
        raise refuse(where, f"{text!r} needs at least 1 vCPU and some memory", option)
    return vcpus, memory_mib


def headroom_of(
    scenario: Scenario, vm: str | None = None, reserve: int | None = None
) -> FarmHeadroom:
    """Return what still fits on the hosts of a scenario, by cluster.

    ``vm`` is the reference VM, such as ``4c16g``; None: the median VM of the farm. ``reserve``
    replaces the hosts that may fail. A reference VM asks for as much CPU per vCPU as the present
    ones of its cluster do, else as those of the farm. Raises InputError if the scenario cannot be
    planned (:func:`.plan_of`), or ``vm`` is none.
    """
    given = None if vm is None else parse_vm(vm, scenario.name)
    load = load_of(scenario)
    plan, _ = plan_of(scenario, load, reserve)
    needs = cpu_needs(scenario, load)
    source = needs.known
    known = source.tier != SIZES_ONLY
    if not known:
        plan = replace(plan, clusters=[_without_cpu(each) for each in plan.clusters])
    if given is None:
        median = _median(plan, scenario.name)
        given = (median.vcpus, median.memory_mib)
    everywhere = _mhz_per_vcpu([cluster.farm.vms for cluster in plan.clusters])
    clusters = []
    for cluster in plan.clusters:
        own = _mhz_per_vcpu([cluster.farm.vms]) if len(cluster.farm.vms) else everywhere
        reference = ReferenceVm(given[0], given[1], own * given[0])
        why = INCOMPLETE if cluster.incomplete else ""
        why = why or ("" if len(cluster.farm.hosts) else NO_HOST)
        found = None if why else headroom(cluster.farm, reference, plan.limits, cluster.reserve)
        ends = () if why or not known else _ends(cluster, reference, plan, needs.clusters)
        large = _large(cluster, plan)
        clusters.append(ClusterHeadroom(cluster, reference, found, why, large, ends))
    return FarmHeadroom(
        plan,
        ReferenceVm(given[0], given[1], everywhere * given[0]),
        "median VM" if vm is None else "yours",
        clusters,
        known,
        f"{source.method}; {source.words}",
        source.confidence,
        ceilings_of(scenario),
        "medium" if any(each.incomplete for each in plan.clusters) else "high",
    )


def ceilings_of(scenario: Scenario) -> str:
    """Return what the planning ceilings of hosts leave of their memory, as a clause, else empty."""
    shares = sorted({group.ceilings.memory for group in scenario.farm.hosts})
    if shares == [1.0]:
        return ""
    if len(shares) == 1:
        return f", which is {percent(shares[0])} of that of the hosts"
    return f", which is {percent(shares[0])} to {percent(shares[-1])} of that of the hosts"


def _ends(
    cluster: PlannedCluster, vm: ReferenceVm, plan: Plan, needs: Sequence[CpuNeed]
) -> tuple[Headroom, ...]:
    """Return the headroom at the low and at the high end of what is known of the CPU demand.

    Empty where the demand is known without a band.
    """
    name = "" if cluster.name in (WHOLE, NO_CLUSTER) else cluster.name
    band = next((need.p95_mhz for need in needs if need.cluster == name), None)
    if band is None or not band.typical > 0 or band.low == band.high:
        return ()
    ends = []
    for factor in (band.low / band.typical, band.high / band.typical):
        farm = cluster.farm.with_vms(cluster.farm.vms.scaled_cpu(factor), cluster.farm.home)
        reference = ReferenceVm(vm.vcpus, vm.memory_mib, vm.cpu_mhz * factor)
        ends.append(headroom(farm, reference, plan.limits, cluster.reserve))
    return tuple(ends)


def _without_cpu(cluster: PlannedCluster) -> PlannedCluster:
    """Return a cluster of whose CPU demand nothing is known."""
    farm, vms = cluster.farm, cluster.farm.vms
    sizes = PlannedVms(vms.names, vms.vcpus, vms.memory_mib)
    return replace(cluster, farm=farm.with_vms(sizes, farm.home))


def _median(plan: Plan, name: str) -> ReferenceVm:
    """Return the median VM of all clusters. Raises InputError if there is no VM."""
    if not any(len(cluster.farm.vms) for cluster in plan.clusters):
        raise refuse(name, "has no VM to take the median of; give one, e.g. 4c16g", "--vm")
    vms = [cluster.farm.vms for cluster in plan.clusters]
    return median_vm(
        PlannedVms(
            [],
            np.concatenate([each.vcpus for each in vms]),
            np.concatenate([each.memory_mib for each in vms]),
        )
    )


def _mhz_per_vcpu(vms: Sequence[PlannedVms]) -> float:
    """Return the need of CPU per vCPU of some VMs, in MHz; 0 where it is not known."""
    if any(each.cpu_mhz is None for each in vms):
        return 0.0
    vcpus = sum(int(each.vcpus.sum()) for each in vms)
    need = added(float(each.cpu_mhz.sum()) for each in vms if each.cpu_mhz is not None)
    return need / vcpus if vcpus else 0.0


def _large(cluster: PlannedCluster, plan: Plan) -> list[str]:
    """Return the VMs that take much of even the largest host of their cluster."""
    if not len(cluster.farm.hosts):
        return []
    return oversized(cluster.farm, cluster.farm.hosts.largest(), plan.limits)
