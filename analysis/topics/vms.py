"""The table of VMs: demand, service, hosts and response times."""

import numpy as np

from ...models.base.arrays import Floats
from ...models.base.metric_definitions import METRICS
from ...models.state.columns import VM_STATES
from ..base.played_case import PlayedCase
from ..base.table_columns import Made, words
from ..base.topic import Topic, TopicTable
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, MIB_PER_GIB
from .farm.clusters import cluster_columns, vm_cluster
from .hypervisors import response_columns, wide_column
from .lifecycle.metrics import life_columns, present_s, reasons
from .service import work_of
from .tenants import tenant_columns


def vms_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per VM that the load names, whether or not it ever ran, in its order.

    Integrals are over the whole run. Columns on requests, tenants and life are there only where the
    scenario has any of these; a VM that never ran has 0 for shares and nulls for times.

    A member of an application has a row as well, for each that may ever run. ``reason`` is empty
    for a VM that runs, or has run to its end.
    """
    return {
        **_labels(run),
        **_work(run),
        **_waits(run),
        **wide_column(run),
        **response_columns(run),
        **tenant_columns(run),
        **cluster_columns(run, vm_cluster(run), "VM"),
        **life_columns(run),
        "reason": (reasons(run.outcome), "", "Why it was rejected or is waiting."),
    }


def _labels(run: PlayedCase) -> dict[str, Made]:
    """Return names, size, state and hosts; null for the host of a VM that has none."""
    vms, migrations = run.farm.vms, run.farm.vm_accounts.migrations
    first = run.outcome.lives.first_host
    return {
        "vm": (run.names.vm(np.arange(len(vms))), "", "Name of the VM."),
        "size": (words(vms.size, vms.size_names), "", "Size of the VM."),
        "vcpus": (vms.vcpus, "vCPUs", "Virtual CPUs."),
        "size_mhz": (vms.size_mhz, "MHz", "CPU of all vCPUs."),
        "memory_gib": (vms.memory_mib / MIB_PER_GIB, "GiB", "Memory."),
        "state": (words(vms.state, VM_STATES), "", "State at the end."),
        "first_host": (run.names.host(first), "", "Host at the start."),
        "last_host": (run.names.host(vms.host), "", "Host at the end."),
        "migrations": (migrations, "migrations", "Migrations that ended."),
    }


def _span_s(run: PlayedCase) -> Floats:
    """Return how long each VM was there, 1 s for those that never were."""
    span_s = present_s(run.outcome)
    return np.where(span_s > 0, span_s, 1.0)


def _work(run: PlayedCase) -> dict[str, Made]:
    """Return work asked for in GHz h and the shares of it that were not done, in all and by cause.

    The causes make up ``unserved_share``. Shares of a VM that asked for nothing are 0.

    ``utilisation_mean`` is over the time that the VM was there, of the CPU of all its vCPUs; it may
    be above 1 where demand goes beyond the size.
    """
    work = work_of(run.outcome)
    asked = np.where(work.asked > 0, work.asked, 1.0)
    asked_ghz_h = work.asked / MHZ_S_PER_GHZ_H
    use = run.farm.vm_accounts.requested_mhz_s / (run.farm.vms.size_mhz * _span_s(run))
    causes = {f"unserved_{cause}_share": missed for cause, missed in work.not_done.items()}
    return {
        "utilisation_mean": (use, "share", "CPU requested divided by size."),
        "requested_ghz_h": (asked_ghz_h, "GHz h", "CPU requested, whether or not it ran."),
        "unserved_share": (
            work.missed / asked,
            "share",
            "Share of the requested CPU that was not served.",
        ),
        **{
            name: (missed / asked, "share", METRICS[name].definition)
            for name, missed in causes.items()
        },
    }


def _waits(run: PlayedCase) -> dict[str, Made]:
    """Return the shares of the time that a VM was there in which its vCPUs had to wait.

    CPU ready and co-stop as VMware's tools call them, as a share of the VM's time. 0 for one that
    never ran.
    """
    accounts, span_s = run.farm.vm_accounts, _span_s(run)
    ready, costop = accounts.ready_s / span_s, accounts.costop_s / span_s
    return {
        "ready_share": (
            ready,
            "share",
            "Share of time in which its vCPUs were ready but did not run.",
        ),
        "costop_share": (
            costop,
            "share",
            "Share of time in which its vCPUs waited for each other.",
        ),
    }


VMS = Topic(name="VMs", tables=(TopicTable("vms", vms_table),))
