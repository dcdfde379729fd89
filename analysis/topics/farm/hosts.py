"""Hosts: number on and needed, work of each, busiest ones."""

import numpy as np

from ....models.accounts.accounts import Rate
from ....models.base.arrays import Floats
from ....models.base.cost import JOULE_PER_KWH
from ....models.state.columns import VmState
from ...base.arrow_arrays import numpy_array
from ...base.played_case import PlayedCase
from ...base.plotting import MAIN, WARM, Figure, figure, hours, line
from ...base.run_tables import RunTables
from ...base.table_columns import Made, words
from ...base.topic import Section, Topic, TopicFigure, TopicTable
from ...base.units_and_ratios import MHZ_S_PER_GHZ_H, MIB_PER_GIB, S_PER_H, nullable, ratio, ratios
from .clusters import cluster_columns, host_cluster
from .hosts_needed import hosts_needed
from .power_states import power_state_columns
from .series import course_beside_baselines
from .utilisation import host_columns

BUSIEST = 10


def host_values(run: PlayedCase) -> dict[str, float]:
    """Return how many hosts and VMs there were, and how many hosts were on and needed.

    ``consolidation_ratio`` is 0 where no host was ever on.

    ``consolidation_ratio`` is VM hours over host hours on. ``vms`` counts all that the load names,
    ``vms_ran`` those that ever ran. Boots and shutdowns leave out what hosts were in at the start.
    """
    farm, totals = run.farm, run.farm.accounts.totals
    on_s = float(totals[Rate.ON].sum())
    return {
        "duration_h": run.end_s / 3600,
        "hosts": len(farm.hosts),
        "vms": len(farm.vms),
        "vms_rejected": int(np.count_nonzero(farm.vms.state == VmState.REJECTED)),
        "hosts_on_mean": on_s / run.end_s,
        "vms_ran": int(np.count_nonzero(~np.isnan(run.outcome.lives.ran_s))),
        "consolidation_ratio": ratio(float(totals[Rate.VMS].sum()), on_s),
        "host_boots": int(farm.accounts.boots.sum()),
        "host_shutdowns": int(farm.accounts.stops.sum()),
        **hosts_needed(run).values(),
    }


def hosts_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per host of the farm, in its order; integrals are over the whole run.

    A host that was never on has 0 for shares and means.
    """
    accounts = run.farm.accounts
    return {
        **_host_labels(run),
        **_host_times(run),
        **_host_loads(run),
        **host_columns(run),
        **_host_lacks(run),
        "boots": (accounts.boots, "cycles", "Times switched on after the start."),
        "shutdowns": (accounts.stops, "cycles", "Times switched off."),
        **power_state_columns(run),
        "failures": (accounts.failures, "times", "Number of failures."),
        "failed_h": (accounts.totals[Rate.FAILED] / S_PER_H, "h", "Time in the failed state."),
    }


def _host_labels(run: PlayedCase) -> dict[str, Made]:
    """Return name, group, server, place and size of each host."""
    hosts, domains = run.farm.hosts, run.case.domains
    return {
        "host": (run.names.host(np.arange(len(hosts))), "", "Name of the host."),
        "group": (words(hosts.group, hosts.group_names), "", "Group of the host."),
        "server": (words(hosts.group, hosts.server_names), "", "Server model of the host."),
        "rack": (words(domains.rack, domains.rack_names), "", "Rack of the host."),
        "site": (words(domains.site, domains.site_names), "", "Site of the host."),
        **cluster_columns(run, host_cluster(run), "host"),
        "cpu_mhz": (hosts.cpu_mhz, "MHz", "Capacity of all cores."),
        "memory_gib": (hosts.memory_mib / MIB_PER_GIB, "GiB", "Memory."),
    }


def _host_times(run: PlayedCase) -> dict[str, Made]:
    """Return hours in each state of work, and the energy drawn in kWh."""
    totals = run.farm.accounts.totals
    switching_h = totals[Rate.SWITCHING] / S_PER_H
    violating = (
        "Active time at 100 % CPU utilisation; with service.incoming_counts_as_violation also "
        "while VMs were copied to it."
    )
    return {
        "on_h": (totals[Rate.ON] / S_PER_H, "h", "Time switched on."),
        "switching_h": (switching_h, "h", "Time booting or shutting down."),
        "active_h": (totals[Rate.ACTIVE] / S_PER_H, "h", "Time on with CPU demand."),
        "violating_h": (totals[Rate.VIOLATING] / S_PER_H, "h", violating),
        "energy_kwh": (totals[Rate.POWER_W] / JOULE_PER_KWH, "kWh", "Energy used."),
    }


def _host_loads(run: PlayedCase) -> dict[str, Made]:
    """Return utilisation, VMs and memory of each host while on; 0 for one that never was.

    Quantiles are by time on, rounded to half a percentage point.
    """
    hosts, accounts, totals = run.farm.hosts, run.farm.accounts, run.farm.accounts.totals
    on_s = totals[Rate.ON]
    use = ratios(totals[Rate.DELIVERED_MHZ], on_s * hosts.cpu_mhz)
    mean_vms = ratios(totals[Rate.VMS], on_s)
    peak_gib = accounts.peak_memory_mib / MIB_PER_GIB
    return {
        "utilisation_mean": (use, "share", "CPU delivered divided by capacity while on."),
        "utilisation_p50": (accounts.quantile(0.5), "share", "Median of utilisation while on."),
        "utilisation_p95": (accounts.quantile(0.95), "share", "P95 of utilisation while on."),
        "utilisation_max": (accounts.peak_utilisation, "share", "Highest utilisation."),
        "vms_mean": (mean_vms, "VMs", "VMs on the host, mean while on."),
        "memory_peak_gib": (peak_gib, "GiB", "Maximum memory used or reserved."),
    }


def _host_lacks(run: PlayedCase) -> dict[str, Made]:
    """Return the CPU that VMs on each host were not served, GHz h, and cores to be licensed.

    CPU that VMs lost to migrations is not in it, since it is no lack of the host.
    """
    totals, group = run.farm.accounts.totals, run.farm.hosts.group
    cores = np.array([licence.cores for licence in run.case.licences], np.float64)[group]
    return {
        "unserved_ghz_h": (
            totals[Rate.UNSERVED_MHZ] / MHZ_S_PER_GHZ_H,
            "GHz h",
            "CPU demand of its VMs that was not served, excluding migration.",
        ),
        "unserved_saturated_ghz_h": (
            totals[Rate.SATURATED_MHZ] / MHZ_S_PER_GHZ_H,
            "GHz h",
            "Part of it not served because the CPU or I/O of the host was saturated.",
        ),
        "licensed_cores": (
            cores,
            "cores",
            "Cores to be licensed if the licence is per core, excluding minimum orders.",
        ),
    }


def host_series(run: PlayedCase) -> dict[str, Made]:
    """Return what each host did in each reporting interval; hosts that did nothing have rows too.

    Only with ``run.host_series``. Means are over the interval, ``utilisation`` over the time on.

    One row per host and interval, which is many: 800 hosts over a day in 5 minutes are 230,000
    rows.
    """
    table = run.records["host_series"]
    length_s = np.maximum(table["length_s"], 1e-12)
    on_s = np.where(table["on_s"] > 0, table["on_s"], 1.0)
    capacity_mhz = run.farm.hosts.cpu_mhz[table["host"]]
    return {
        "host": (run.names.host(table["host"]), "", "Name of the host."),
        "time_s": (table["time_s"] - table["length_s"], "s", "Start of the interval."),
        "interval_s": (table["length_s"], "s", "Length of the interval."),
        "power_w": (table["energy_j"] / length_s, "W", "Mean power."),
        "on_share": (
            table["on_s"] / length_s,
            "share",
            "Share of the interval in which it was on.",
        ),
        "utilisation": (
            table["delivered_mhz_s"] / (on_s * capacity_mhz),
            "share",
            "Utilisation while on.",
        ),
        "vms": (table["vm_s"] / length_s, "VMs", "VMs on the host, mean."),
    }


def maintenance(run: PlayedCase) -> dict[str, Made]:
    """Return when each host was closed for work, empty, and in service again; in that order.

    A time is null where that did not happen within the run.

    Only hosts of the control policy ``evacuation`` are closed.
    """
    table, columns = run.records["maintenance"], run.farm.hosts
    return {
        "host": (run.names.host(table["host"]), "", "Host closed for maintenance."),
        "closed_s": (
            nullable(table["closed_s"]),
            "s",
            "When it was closed, at the start of its wave.",
        ),
        "emptied_s": (
            nullable(table["emptied_s"]),
            "s",
            "When it had no VMs left; null if not within the run.",
        ),
        "reopened_s": (
            nullable(table["reopened_s"]),
            "s",
            "When it was back in service (switched off); null if not within the run.",
        ),
        "boot_s": (columns.boot_s[table["host"]], "s", "Boot time of the host."),
    }


def hosts_on(result: RunTables) -> Figure:
    """Hosts switched on over time, with the baseline's and the fewest that could do the work.

    Means of the reporting intervals; the minimum is of the steps of demand, and is that of this
    run's work, not of the baseline's.
    """
    bounds = result.table("bounds")
    made = course_beside_baselines(result, "hosts_on", 1.0, "hosts on", "hosts")
    times, _ = hours(numpy_array(bounds["time_s"]))
    least = numpy_array(bounds["hosts_bound"])
    made["data"].append(line(times, least, "at least", WARM, "%{y:,.1f} hosts", dash="dot"))
    return made


def busiest(result: RunTables) -> Figure:
    """Show the ten busiest hosts: mean, P95 and highest utilisation while on.

    Fewer where fewer did any work.

    In percent of the capacity of each host, the busiest at the top.
    """
    names, mean, high, peak = busiest_hosts(result)
    bars = [
        {
            "type": "bar",
            "y": names,
            "x": values,
            "name": label,
            "orientation": "h",
            "marker": {"color": colour},
            "hovertemplate": "%{x:.0f} %",
        }
        for label, values, colour in (
            ("mean", mean, MAIN),
            ("P95", high, "#5b9bd5"),
            ("highest", peak, "#c9d6e3"),
        )
    ]
    return figure(
        bars,
        "utilisation while on (%)",
        "",
        barmode="group",
        height=420,
        hovermode="y unified",
        xaxis={"range": [0, 100]},
        yaxis={"autorange": "reversed", "automargin": True, "type": "category"},
    )


def busiest_hosts(result: RunTables) -> tuple[list[str], Floats, Floats, Floats]:
    """Return name, mean, P95 and highest utilisation in percent of the ten busiest hosts.

    Busiest by work done: CPU delivered over the whole run.

    Fewer than ten where fewer did any work, none where no host did.
    """
    hosts = result.table("hosts")
    mean = numpy_array(hosts["utilisation_mean"])
    capacity_h = numpy_array(hosts["on_h"]) * numpy_array(hosts["cpu_mhz"])
    work = mean * capacity_h
    rows = np.argsort(-work, kind="stable")[:BUSIEST]
    rows = rows[work[rows] > 0]
    # Not take(): it imports pyarrow.compute, which costs more than all the rest of a figure.
    names = hosts["host"]
    return (
        [str(names[row].as_py()) for row in rows.tolist()],
        mean[rows] * 100,
        numpy_array(hosts["utilisation_p95"])[rows] * 100,
        numpy_array(hosts["utilisation_max"])[rows] * 100,
    )


HOSTS = Topic(
    name="hosts and VMs",
    values=host_values,
    tables=(
        TopicTable("hosts", hosts_table),
        TopicTable(
            "host_series",
            host_series,
            lambda run: "host_series" in run.records,
            "Only with `run.host_series: true`.",
        ),
        TopicTable(
            "maintenance",
            maintenance,
            lambda run: "maintenance" in run.records,
            "Only where hosts were emptied (control policy `evacuation`).",
        ),
    ),
    figures=(
        TopicFigure(
            "hosts_on",
            "Hosts switched on over time",
            "Hosts powered on (not counting those booting). Dotted: the theoretical minimum.",
            hosts_on,
        ),
        TopicFigure(
            "busiest_hosts",
            "The ten busiest hosts",
            "Hosts that delivered most CPU over the whole run.",
            busiest,
        ),
    ),
    section=Section(
        "Hosts and VMs",
        (
            "hosts",
            "hosts_on_peak",
            "hosts_on_mean",
            "startup_end_s",
            "startup_hosts_on_peak",
            "vms",
            "vms_ran",
            "vms_rejected",
            "consolidation_ratio",
        ),
    ),
)
