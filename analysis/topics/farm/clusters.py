"""Clusters: hosts, VMs and capacity of each, and how far each was used."""

from typing import Any

import numpy as np

from ....models.accounts.accounts import Rate
from ....models.base.arrays import Floats, Ints
from ....models.base.cost import JOULE_PER_KWH
from ....models.state.columns import VmState
from ...base.played_case import PlayedCase
from ...base.run_tables import RunTables
from ...base.table_columns import Made, words
from ...base.topic import Topic, TopicTable
from ...base.units_and_ratios import MIB_PER_GIB, ratios

TABLE = "clusters"
NO_CLUSTER = "no cluster"
"""Row of the hosts and VMs that belong to none."""


def cluster_columns(run: PlayedCase, of: Ints, what: str) -> dict[str, Made]:
    """Return a column with the cluster of hosts or VMs, empty for none; no column without clusters.

    ``of`` has a cluster per row, negative for none; ``what`` names a row in the description.
    """
    names = run.case.stack.clusters
    if not names:
        return {}
    return {
        "cluster": (
            words(of, [*names, ""]),
            "",
            f"Cluster of the {what}; only with `farm.clusters`.",
        )
    }


def host_cluster(run: PlayedCase) -> Ints:
    """Return the cluster of each host (hosts,), their number for none."""
    return _with_none(run, run.case.stack.cluster_of_group[run.farm.hosts.group])


def vm_cluster(run: PlayedCase) -> Ints:
    """Return the cluster of each VM (vms,), their number for none."""
    return _with_none(run, run.case.stack.cluster_of_size[run.farm.vms.size])


def _with_none(run: PlayedCase, of: Ints) -> Ints:
    made: Ints = np.where(of < 0, len(run.case.stack.clusters), of)
    return made


def _sums(of: Ints, values: Any, count: int) -> Floats:
    """Return sums of values by cluster, or how many rows are of each."""
    made: Floats = np.bincount(of, weights=values, minlength=count).astype(np.float64)
    return made


class _ByCluster:
    """Sums over the hosts or VMs of each cluster; the last row is of those in none.

    That row is left out where no host and no VM is in it.
    """

    def __init__(self, run: PlayedCase) -> None:
        self._hosts, self._vms = host_cluster(run), vm_cluster(run)
        names = run.case.stack.clusters
        alone = bool((self._hosts == len(names)).any() or (self._vms == len(names)).any())
        self.names = [*names, NO_CLUSTER] if alone else list(names)

    def hosts(self, values: Any = None) -> Floats:
        """Return sums of values by host, or the number of hosts, (clusters,)."""
        return _sums(self._hosts, values, len(self.names))

    def vms(self, values: Any = None) -> Floats:
        """Return sums of values by VM, or the number of VMs, (clusters,)."""
        return _sums(self._vms, values, len(self.names))


def clusters_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per cluster, and one for hosts and VMs in none where there are any.

    Hosts are counted where they stand; VMs by the cluster that they belong to, whether or not they
    run there. VMs, vCPUs and configured memory are of the VMs on hosts of the cluster at the end of
    the run, other columns are integrals over it.
    """
    by, farm = _ByCluster(run), run.farm
    hosts, totals = farm.hosts, farm.accounts.totals
    here = _vms_here(run, len(by.names))
    vcpus, memory_mib = here(farm.vms.vcpus), here(farm.vms.memory_mib)
    waiting = by.vms((farm.vms.state == VmState.WAITING) | (farm.vms.state == VmState.REJECTED))
    cores = hosts.cpu_mhz / hosts.core_mhz
    serving = hosts.in_service
    return {
        "cluster": (by.names, "", f"Cluster; {NO_CLUSTER}: hosts and VMs that belong to none."),
        "hosts": (by.hosts().astype(np.int64), "hosts", "Hosts of the cluster."),
        "hosts_in_service": (
            by.hosts(serving).astype(np.int64),
            "hosts",
            "Hosts of it in service at the end of the run.",
        ),
        "hosts_on_mean": (by.hosts(totals[Rate.ON]) / run.end_s, "hosts", "Mean hosts on."),
        "vms": (by.vms().astype(np.int64), "VMs", "VMs that belong to the cluster."),
        "vms_here": (here().astype(np.int64), "VMs", "VMs on its hosts at the end of the run."),
        "vms_without_host": (
            waiting.astype(np.int64),
            "VMs",
            "VMs of the cluster that wait for a host at the end, or were rejected.",
        ),
        "vcpus": (vcpus.astype(np.int64), "vCPUs", "vCPUs of the VMs on its hosts at the end."),
        "vcpus_per_core": (
            ratios(vcpus, by.hosts(cores * serving)),
            "vCPUs/core",
            "The same per core of its hosts in service; 0 without any.",
        ),
        "memory_configured_gib": (
            memory_mib / MIB_PER_GIB,
            "GiB",
            "Configured memory of the VMs on its hosts at the end.",
        ),
        "memory_available_gib": (
            by.hosts(hosts.memory_mib * serving) / MIB_PER_GIB,
            "GiB",
            "Memory that its hosts in service may allocate to VMs.",
        ),
        **_use(run, by),
    }


def _vms_here(run: PlayedCase, count: int) -> Any:
    """Return a function that sums values of VMs by the cluster of the host where they are."""
    host = run.farm.vms.host
    placed = host >= 0
    at = host_cluster(run)[host[placed]]

    def here(values: Any = None) -> Floats:
        weights = None if values is None else values[placed]
        return _sums(at, weights, count)

    return here


def _use(run: PlayedCase, by: _ByCluster) -> dict[str, Made]:
    """Return CPU and memory in use of what was on, and energy, over the run."""
    hosts, totals = run.farm.hosts, run.farm.accounts.totals
    on_s = totals[Rate.ON]
    cpu = ratios(by.hosts(totals[Rate.DELIVERED_MHZ]), by.hosts(on_s * hosts.cpu_mhz))
    memory = ratios(by.hosts(totals[Rate.MEMORY_MIB]), by.hosts(on_s * hosts.memory_mib))
    assert run.accounts.clusters is not None
    p95 = run.accounts.clusters.quantile(0.95)[: len(by.names)]
    mean_mhz = by.hosts(totals[Rate.DELIVERED_MHZ]) / run.end_s
    return {
        "cpu_mean_mhz": (mean_mhz, "MHz", "CPU delivered by its hosts, mean over the run."),
        "utilisation_mean": (cpu, "share", "CPU delivered divided by the CPU of its hosts on."),
        "utilisation_p95": (
            p95,
            "share",
            "The same at the 95th percentile over time; 0 while none of its hosts was on.",
        ),
        "memory_mean": (memory, "share", "Memory of VMs divided by memory of its hosts on, mean."),
        "energy_kwh": (
            by.hosts(totals[Rate.POWER_W]) / JOULE_PER_KWH,
            "kWh",
            "Energy used by its hosts.",
        ),
    }


def cluster_rows(result: RunTables) -> list[dict[str, Any]]:
    """Return the rows of the table of clusters for the report, none where there are no clusters."""
    return result.table(TABLE).to_pylist() if TABLE in result.tables else []


CLUSTERS = Topic(
    name="clusters",
    tables=(
        TopicTable(
            TABLE,
            clusters_table,
            lambda run: run.accounts.clusters is not None,
            "Only where the scenario has `farm.clusters`; not of dedicated servers.",
        ),
    ),
    facts={"clusters": cluster_rows},
)
