"""Availability by size, by tenant and in total, and failures over time.

A VM is *present* from its first run to its end, apart from time in which nobody wanted it, and
*down* while it is present and does not serve: such as after a crash until it runs again.
"""

from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Bools, Floats, Ints
from ...models.state.columns import VmState
from ..base.arrow_arrays import numpy_array
from ..base.played_case import PlayedCase
from ..base.run_tables import RunTables
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, S_PER_H, ratios
from .lifecycle.metrics import present_s

ALL, SIZE, TENANT = "all", "size", "tenant"
LISTED = 20


def availability_values(run: PlayedCase) -> dict[str, float]:
    """Return the metrics by name; none if all VMs exist from the start and nothing fails.

    A VM that never ran counts neither as up nor as down.

    ``host_availability`` = 1 - failed time / (hosts times run), whether hosts were on or off;
    ``vm_availability`` = 1 - time down / time present, summed over VMs, 1 where none was present.
    Lost work is what VMs would have asked for while down, in GHz h. A repair that had not ended
    counts until the end of the run.
    """
    if not run.case.living:
        return {}
    lives, accounts = run.outcome.lives, run.farm.accounts
    hosts_s = run.end_s * len(run.farm.hosts)
    failed_s = float(accounts.total(Rate.FAILED).sum())
    down_s, present = float(lives.down_s.sum()), float(present_s(run.outcome).sum())
    return {
        "host_failures": int(accounts.failures.sum()),
        "host_availability": 1.0 - failed_s / hosts_s,
        "vm_crashes": int(lives.crashes.sum()),
        "vm_availability": 1.0 - down_s / present if present else 1.0,
        "vm_downtime_h": down_s / S_PER_H,
        "lost_work_ghz_h": float(lives.lost_mhz_s.sum()) / MHZ_S_PER_GHZ_H,
    }


class _Group(NamedTuple):
    """VMs that a row is about: all, those of a size, or those of a tenant."""

    by: str
    name: str
    vms: Ints


def _groups(run: PlayedCase) -> list[_Group]:
    """Return the groups of VMs that the table has a row for; those without VMs too."""
    sizes = run.farm.vms.size
    tenants, names = run.case.stack.tenant_of_size[sizes], run.farm.vms.size_names
    return [
        _Group(ALL, ALL, np.arange(len(sizes))),
        *(
            _Group(SIZE, str(name), np.flatnonzero(sizes == number))
            for number, name in enumerate(names)
        ),
        *(
            _Group(TENANT, str(name), np.flatnonzero(tenants == number))
            for number, name in enumerate(run.case.stack.tenants)
        ),
    ]


def _stranded_vms(run: PlayedCase) -> Bools:
    """Return which VMs ran once and wait for a host as the run ends."""
    down = np.zeros(len(run.farm.vms), bool)
    down[run.outcome.lives.down] = True
    stranded: Bools = down & (run.farm.vms.state == VmState.WAITING)
    return stranded


def availability_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row for all VMs, one per size and one per tenant.

    The availability of VMs that never ran is 1.

    Only where something failed. A VM is in the row of its size, in that of its tenant if it has
    one, and in that of all; the rows of sizes or of tenants do not add up with it.
    """
    groups, lives = _groups(run), run.outcome.lives
    span_s = present_s(run.outcome)

    def total(values: Any) -> Floats:
        return np.array([values[group.vms].sum() for group in groups], np.float64)

    def count(values: Any) -> Ints:
        return total(values).astype(np.int64)

    present, down = total(span_s), total(lives.down_s)
    share = 1.0 - ratios(down, present)
    longest = [lives.longest_s[group.vms].max(initial=0.0) for group in groups]
    lost_ghz_h = total(lives.lost_mhz_s) / MHZ_S_PER_GHZ_H
    lost = "CPU demand while they were down."
    kinds = [group.by for group in groups]
    names, stranded = [group.name for group in groups], count(_stranded_vms(run))
    return {
        "scope": (kinds, "", "Scope of the row: all VMs, one size or one tenant."),
        "name": (names, "", "Name of the size or tenant."),
        "vms": (count(span_s > 0), "VMs", "VMs that ran."),
        "crashes": (count(lives.crashes), "times", "Number of times a VM lost its host."),
        "present_vm_h": (
            present / S_PER_H,
            "VM h",
            "Time from first start to end, summed over VMs.",
        ),
        "down_vm_h": (down / S_PER_H, "VM h", "Time thereof in which they did not serve."),
        "down_longest_s": (longest, "s", "Longest uninterrupted downtime of one VM."),
        "availability": (share, "share", "1 minus time down divided by time present."),
        "lost_ghz_h": (lost_ghz_h, "GHz h", lost),
        "stranded": (
            stranded,
            "VMs",
            "VMs that have run and are waiting for a host at the end of the run.",
        ),
    }


def outages(run: PlayedCase) -> dict[str, Made]:
    """Return what failed, in the order of repair; what was not repaired comes last.

    One row per failure of a host, rack, site, switch or link, with the hosts and VMs that it took.

    An outage of a rack or a site has one row, and none for each of its hosts. Outages may overlap,
    so that a host or a VM may be counted by several.
    """
    table = run.records["outages"]
    return {
        "entry": (run.texts(table["source"]), "", "Name of the entry in the scenario."),
        "component": (run.texts(table["kind"]), "", "What kind of thing failed."),
        "name": (
            run.texts(table["entity"]),
            "",
            "Name of the host, rack, site, rack of the switch, or link.",
        ),
        "start_s": (table["start_s"], "s", "When it failed."),
        "end_s": (table["end_s"], "s", "When it was repaired or the run ended."),
        "repaired": (table["repaired"], "", "Whether it was repaired within the run."),
        "hosts": (
            table["hosts"],
            "hosts",
            "Hosts affected, including those already failed; 0 for a link.",
        ),
        "vms": (table["vms"], "VMs", "VMs that were running there and stopped serving."),
    }


def failures_of(result: RunTables) -> dict[str, Any]:
    """Return the report's text on failures; empty if nothing failed.

    ``all`` is the row of all VMs, ``rows`` those of groups that ran, ``worst`` the failures that
    took most VMs in the order of time, ``stranded`` the first VMs that wait as the run ends.
    """
    if "outages" not in result.tables:
        return {}
    rows = result.table("availability").to_pylist()
    table = result.table("outages")
    order = np.lexsort((numpy_array(table["start_s"]), -numpy_array(table["vms"])))[:LISTED]
    return {
        "outages": table.num_rows,
        "all": rows[0],
        "rows": [row for row in rows if row["vms"]],
        "worst": [table.slice(row, 1).to_pylist()[0] for row in sorted(order.tolist())],
        "stranded": _stranded(result) if rows[0]["stranded"] else [],
    }


def _stranded(result: RunTables) -> list[dict[str, Any]]:
    """Return the first VMs that have run and are waiting for a host at the end of the run."""
    table = result.table("vms").select(["vm", "size", "state", "started_h", "reason"])
    waiting = (
        row
        for row in table.to_pylist()
        if row["state"] == "waiting" and row["started_h"] is not None
    )
    return list(islice(waiting, LISTED))


def _had_outages(run: PlayedCase) -> bool:
    return len(run.records["outages"]["start_s"]) > 0


ONLY = "Only where something failed."
AVAILABILITY = Topic(
    name="availability",
    values=availability_values,
    tables=(
        TopicTable("availability", availability_table, _had_outages, ONLY),
        TopicTable("outages", outages, _had_outages, ONLY),
    ),
    section=Section(
        "Availability",
        (
            "host_failures",
            "host_availability",
            "vm_crashes",
            "vm_availability",
            "vm_downtime_h",
            "lost_work_ghz_h",
        ),
    ),
    facts={"failures": failures_of},
)
