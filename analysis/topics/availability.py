"""Availability by size, by tenant and in all, and what failed when."""

from itertools import islice
from typing import Any

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Floats, Ints
from ...models.state.columns import VmState
from ..base.played_case import PlayedCase
from ..base.run_tables import RunTables
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, S_PER_H
from .lifecycle.metrics import present_s

ALL, SIZE, TENANT = "all", "size", "tenant"
LISTED = 20


def availability_values(run: PlayedCase) -> dict[str, float]:
    """Return the figures by name, none where VMs are there from the start and nothing fails.

    A VM that never ran counts neither as up nor as down.
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


def availability_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row for all VMs, one per size and one per tenant."""
    sizes = run.farm.vms.size
    rows: list[tuple[str, str, Ints]] = [(ALL, ALL, np.arange(len(sizes)))]
    rows += [
        (SIZE, str(name), np.flatnonzero(sizes == number))
        for number, name in enumerate(run.farm.vms.size_names)
    ]
    tenant = run.case.stack.tenant_of_size[sizes]
    rows += [
        (TENANT, str(name), np.flatnonzero(tenant == number))
        for number, name in enumerate(run.case.stack.tenants)
    ]
    lives, span_s, state = run.outcome.lives, present_s(run.outcome), run.farm.vms.state
    down_at_end = np.zeros(len(sizes), bool)
    down_at_end[lives.down] = True
    stranded = down_at_end & (state == VmState.WAITING)

    def total(values: Any) -> Floats:
        return np.array([values[vms].sum() for _, _, vms in rows], np.float64)

    present, down = total(span_s), total(lives.down_s)
    share = np.divide(down, present, out=np.zeros(len(rows)), where=present > 0)
    longest = [lives.longest_s[vms].max(initial=0.0) for _, _, vms in rows]
    return {
        "by": ([by for by, _, _ in rows], "", "Whether the row is one of all VMs, a size, a "
               "tenant."),
        "name": ([name for _, name, _ in rows], "", "Name of the size or tenant."),
        "vms": (total(span_s > 0).astype(np.int64), "VMs", "VMs that ran."),
        "crashes": (total(lives.crashes).astype(np.int64), "times", "Times that a VM lost its "
                    "host."),
        "present_vm_h": (present / S_PER_H, "VM h", "From first run to end, summed over VMs."),
        "down_vm_h": (down / S_PER_H, "VM h", "Of that, time that they did not serve."),
        "down_longest_s": (longest, "s", "Longest that one VM was down at a stretch."),
        "availability": (1.0 - share, "share", "1 less time down over time present."),
        "lost_ghz_h": (
            total(lives.lost_mhz_s) / MHZ_S_PER_GHZ_H, "GHz h", "CPU that they would have asked "
            "for while they were down.",
        ),
        "stranded": (total(stranded).astype(np.int64), "VMs", "VMs that ran once and wait for a "
                     "host as the run ends."),
    }  # fmt: skip


def outages(run: PlayedCase) -> dict[str, Made]:
    """Return what failed, in the order of repair; what was not repaired comes last."""
    table = run.records["outages"]
    return {
        "entry": (run.texts(table["source"]), "", "Entry of the scenario."),
        "of": (run.texts(table["kind"]), "", "What kind of thing failed."),
        "name": (run.texts(table["entity"]), "", "Host, rack, site, rack of the "
                 "switch, or link."),
        "start_s": (table["start_s"], "s", "When it failed."),
        "end_s": (table["end_s"], "s", "When it was repaired, or the run ended."),
        "repaired": (table["repaired"], "", "Whether it was repaired within the run."),
        "hosts": (table["hosts"], "hosts", "Hosts that it took with it, failed already or not; "
                  "0 for a link."),
        "vms": (table["vms"], "VMs", "VMs that were running there, and no longer served."),
    }  # fmt: skip


def failures_of(result: RunTables) -> dict[str, Any]:
    """Return what the report tells of failures; nothing where nothing failed."""
    if "outages" not in result.tables:
        return {}
    rows = result.table("availability").to_pylist()
    table = result.table("outages")
    order = np.lexsort((table["start_s"].to_numpy(), -table["vms"].to_numpy()))[:LISTED]
    return {
        "outages": table.num_rows,
        "all": rows[0],
        "rows": [row for row in rows if row["vms"]],
        "worst": [table.slice(row, 1).to_pylist()[0] for row in sorted(order.tolist())],
        "stranded": _stranded(result) if rows[0]["stranded"] else [],
    }


def _stranded(result: RunTables) -> list[dict[str, Any]]:
    """Return the first VMs that ran once and wait for a host as the run ends."""
    table = result.table("vms").select(["vm", "size", "state", "ran_h", "reason"])
    waiting = (
        row for row in table.to_pylist() if row["state"] == "waiting" and row["ran_h"] is not None
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
