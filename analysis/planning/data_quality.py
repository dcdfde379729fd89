"""The page of an import: what is in the plan, what is wrong with the data, and what to measure."""

from collections.abc import Sequence
from typing import Any, Final

from ...models.base.arrays import added
from ...scenarios.importing.import_record import (
    HOST_FIELDS,
    NO_CLUSTER,
    VM_FIELDS,
    Imported,
)
from ...scenarios.importing.scenario_text import LEVELS
from ...scenarios.inventory.findings import Severity
from ...scenarios.inventory.inventory import Scope
from ...scenarios.inventory.scope import WORDS
from ..base.page import page
from ..base.provenance import versions
from .as_is import AsIs
from .import_text import hosts_sentence, known_sentence, sentence

SHOWN: Final = 50
"""Rows of a table that the page shows; the rest is in the files."""
RECLAIMED: Final = 20
NAMED: Final = 8
TITLES: Final = {
    "vcpus": "vCPUs", "memory_mib": "memory configured", "host": "host", "cluster": "cluster",
    "disk_mib": "disk", "power_state": "power state", "cpu_used_mhz": "CPU in use, MHz",
    "cpu_share": "CPU in use, share", "memory_active_mib": "memory active",
    "memory_consumed_mib": "memory consumed", "os": "operating system",
    "restart_priority": "restart priority", "cores": "cores", "sockets": "sockets",
    "clock_mhz": "clock", "cpu_model": "processor", "model": "server model",
    "memory_used_mib": "memory in use", "cpu_mean_mhz": "CPU, mean over a period",
    "cpu_p95_mhz": "CPU, 95th percentile", "cpu_peak_mhz": "CPU, peak",
}  # fmt: skip
"""What people read for each field of the inventory."""
CLASSES: Final = {Severity.ERROR: "bad", Severity.WARNING: "warned", Severity.INFO: "told"}


def render(imported: Imported, as_is: AsIs) -> str:
    """Return the page as HTML; all names are escaped."""
    inventory = imported.inventory
    return page(
        "data_quality.html.j2",
        farmsim=versions()["farmsim"],
        name=imported.name,
        description="",
        plotly_js="",
        sentence=sentence(imported),
        hosts_sentence=hosts_sentence(imported),
        catch=_catch(imported),
        known=as_is.known,
        known_sentence=known_sentence(as_is.known),
        peaks=_peaks(as_is),
        numbers={each.value: sum(one.severity is each for one in imported.findings)
                 for each in Severity},
        findings=[_finding(imported, at) for at in range(min(len(imported.findings), SHOWN))],
        findings_left=max(0, len(imported.findings) - SHOWN),
        clusters=[
            {
                "totals": each,
                "name": each.name or NO_CLUSTER,
                "level": _cluster_level(each.memory_n1),
            }
            for each in imported.clusters
        ],
        coverage=_coverage(imported),
        groups=[
            {"group": group, "power": power, "level": LEVELS.get(power.level, "")}
            for group, power in zip(imported.groups, imported.powers, strict=True)
        ],
        reclaim=_reclaim(imported),
        left_out=_left_out(imported),
        as_is=as_is,
        sources=inventory.sources,
        snapshots=inventory.snapshots if len(inventory.snapshots) > 1 else [],
        identity=inventory.identity.replace("_", ", "),
    )  # fmt: skip


def _peaks(as_is: AsIs) -> list[dict[str, Any]]:
    """Return how far peaks coincide: a row for each cluster, then one for the farm."""
    if as_is.peaks is None:
        return []
    clusters = sorted(as_is.peaks.clusters.items())
    rows = [(name or NO_CLUSTER, found) for name, found in clusters]
    if len(rows) > 1:
        rows.append(("the whole farm", as_is.peaks.farm))
    return [
        {"name": name, "shares": [each.share if each.sum_of_peaks > 0 else None for each in found]}
        for name, found in rows
    ]


def _catch(imported: Imported) -> str:
    """Return the catch that would change a decision: the worst finding, else the load."""
    worst = imported.worst(Severity.ERROR) or imported.worst()
    if not worst:
        return ""
    first = worst[0]
    more = f" ({len(worst) - 1} more of this weight below)" if len(worst) > 1 else ""
    return f"{first.where}: {first.message}{more}"


def _finding(imported: Imported, at: int) -> dict[str, Any]:
    """Return a finding as the page shows it."""
    finding = imported.findings[at]
    return {
        "finding": finding,
        "kind": CLASSES[finding.severity],
        "objects": finding.objects[:NAMED],
        "more": max(0, len(finding.objects) - NAMED),
    }


def _cluster_level(share: float | None) -> str:
    """Return the class of a share of memory with one host lost; no colour where none is known."""
    if share is None:
        return ""
    return "bad" if share > 1 else "warned" if share > 0.95 else ""


def _coverage(imported: Imported) -> list[dict[str, Any]]:
    """Return of how many VMs and hosts each field is known, by kind."""
    inventory = imported.inventory
    kinds: list[tuple[str, Sequence[Any], Sequence[str]]] = [
        ("VM of the plan", inventory.in_plan, VM_FIELDS),
        ("Host", inventory.hosts, HOST_FIELDS),
    ]
    return [
        {
            "kind": kind,
            "field": TITLES[name],
            "known": sum(1 for each in objects if getattr(each, name) is not None),
            "of": len(objects),
        }
        for kind, objects, names in kinds
        for name in names
        if objects
    ]


def _reclaim(imported: Imported) -> dict[str, Any]:
    """Return the VMs that are powered off, those with the most disk first."""
    off = [vm for vm in imported.inventory.vms if vm.scope is Scope.POWERED_OFF]
    off.sort(key=lambda vm: (-(vm.disk_mib or 0.0), vm.key))
    known = [vm.disk_mib for vm in off if vm.disk_mib is not None]
    return {
        "vms": off[:RECLAIMED],
        "count": len(off),
        "more": max(0, len(off) - RECLAIMED),
        "disk_gib": added(known) / 1024 if known else None,
        "unknown": len(off) - len(known),
    }


def _left_out(imported: Imported) -> list[dict[str, Any]]:
    """Return the classes of VMs that are left out, with some names."""
    rows = []
    for scope, number in imported.scopes.items():
        if scope is Scope.IN_PLAN:
            continue
        names = sorted(vm.key for vm in imported.inventory.vms if vm.scope is scope)
        rows.append({"why": WORDS[scope][1], "count": number, "names": names[:NAMED],
                     "more": max(0, len(names) - NAMED)})  # fmt: skip
    return rows
