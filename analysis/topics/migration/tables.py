"""Tables on migrations: what each took, phase by phase, and what links carried.

A migration model that knows no downtime or rounds leaves nulls.

A row of ``migrations`` is one migration; ``migration_phases`` names it by its place in that table,
from 0.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from ....models.base.arrays import Floats, Ints, distinct
from ....models.migration.dirty_pages import BYTES_PER_MEGABIT
from ....sim.migration.link_record import WINDOW_S
from ...base.played_case import PlayedCase
from ...base.table_columns import Made, words
from ...base.units_and_ratios import BYTES_PER_GIB, MIB_PER_GIB, nullable
from .figures import SHOWN_LINKS


def migrations(run: PlayedCase) -> dict[str, Made]:
    """Return one row per migration, whether or not it ended within the run.

    One that had not ended as the run did has the end of the run in ``end_s``.
    """
    table = run.records["migrations"]
    return {
        "vm": (run.names.vm(table["vm"]), "", "VM moved."),
        "source": (run.names.host(table["source"]), "", "Source host."),
        "target": (run.names.host(table["target"]), "", "Target host."),
        "decided_s": (table["decided_s"], "s", "When the migration was decided."),
        "start_s": (table["start_s"], "s", "When the copy started."),
        "end_s": (table["end_s"], "s", "When it, or the run, ended."),
        "copied_gib": (table["copied_mib"] / MIB_PER_GIB, "GiB", "Data copied."),
        "finished": (table["finished"], "", "Whether it completed within the run."),
        **_durations(run),
        **_costs(run),
        **_circumstances(run),
    }


def decisions(run: PlayedCase) -> dict[str, Made]:
    """Return what was decided about VMs, first placements included, with what was searched.

    One row per decision, carried out or not. Counts of hosts are of the search for a target; those
    that lacked something are counted only where no host was found.

    A VM for which no host was found has a null for its target and the reason in ``outcome``.
    ``cost`` is in the unit of the placement policy, and can be compared within one policy only.
    """
    table = run.records["decisions"]
    return {
        "time_s": (table["time_s"], "s", "When it was decided."),
        "vm": (run.names.vm(table["vm"]), "", "VM concerned."),
        "source": (run.names.host(table["source"]), "", "Source host."),
        "target": (run.names.host(table["target"]), "", "Target host."),
        "rule": (run.texts(table["rule"]), "", "Policy that requested the migration."),
        "measured": (
            table["measured"],
            "share",
            "Value measured by the rule, as a share of the source's CPU.",
        ),
        "limit": (table["limit"], "share", "Limit with which the rule compared it."),
        "hosts_considered": (table["considered"], "hosts", "Candidate hosts considered."),
        "hosts_full": (
            table["full"],
            "hosts",
            "If no candidate had capacity: all of them; otherwise 0.",
        ),
        "hosts_no_cpu": (
            table["no_cpu"],
            "hosts",
            "If no candidate had capacity: those lacking CPU.",
        ),
        "hosts_no_memory": (table["no_memory"], "hosts", "… those lacking memory."),
        "hosts_vetoed": (table["vetoed"], "hosts", "… those that it would have overloaded."),
        "hosts_barred": (table["barred"], "hosts", "… those excluded by rules or compatibility."),
        "barred_by": (
            run.texts(table["rules"]),
            "",
            "Rules that excluded hosts, with the number of hosts for each.",
        ),
        "cost": (
            table["cost"],
            "",
            "Cost of the target according to the placement policy; the lowest was chosen.",
        ),
        "outcome": (run.texts(table["outcome"]), "", "Outcome of the decision."),
    }


def _durations(run: PlayedCase) -> dict[str, Made]:
    """Return how long migrations took their VMs; null where the model knows no downtime.

    Times in s. ``waited_s`` is 0 for a migration that began at once.
    """
    table = run.records["migrations"]
    unknown = np.isnan(table["downtime_s"])
    return {
        "waited_s": (
            table["start_s"] - table["decided_s"],
            "s",
            "From the decision to the start of the copy: waiting for memory at the target, for "
            "the target to boot, or for a migration slot at both hosts.",
        ),
        "downtime_s": (
            nullable(table["downtime_s"], unknown),
            "s",
            "Time in which the VM was stopped or unreachable; null if the model has no downtime.",
        ),
        "rounds": (
            nullable(table["rounds"], unknown),
            "rounds",
            "Number of pre-copy rounds after the first pass.",
        ),
    }


def _costs(run: PlayedCase) -> dict[str, Made]:
    """Return what migrations took of hosts, guests and energy.

    Seconds of CPU are relative to what the VM asked for, so that large and small VMs can be
    compared: 1 s is the work that it asks for in one second.
    """
    table = run.records["migrations"]
    return {
        "source_cpu_s": (
            table["source_cpu_s"],
            "s",
            "CPU work of the source for the migration, in seconds of the VM's demand.",
        ),
        "target_cpu_s": (table["target_cpu_s"], "s", "The same of the target."),
        "guest_lost_s": (
            table["guest_lost_s"],
            "s",
            "CPU that the VM lost to the migration, in seconds of its demand, including downtime.",
        ),
        "energy_j": (
            table["energy_j"],
            "J",
            "Energy attributed to both hosts, 0.512 J per 10^6 bytes sent plus 20.165 J (Liu et "
            "al. 2011); not added to the energy of the farm.",
        ),
    }


def _circumstances(run: PlayedCase) -> dict[str, Made]:
    """Return what was resorted to, null where nothing was.

    Reactions are those of the migration model's ``if_not_converging``.
    """
    table = run.records["migrations"]
    return {
        "convergence_action": (
            _texts_or_null(run, table["reaction"]),
            "",
            "Action taken when pre-copy did not converge; null if it converged.",
        ),
        "unblocked_by": (
            _texts_or_null(run, table["unblocked_by"]),
            "",
            "What unblocked a migration that waited for memory freed by others: the other "
            "migrations, moving aside first, a third host, or suspension to storage; null if it "
            "started at once.",
        ),
    }


def _texts_or_null(run: PlayedCase, codes: Ints) -> pa.DictionaryArray:
    """Return texts by number, null in place of the empty one."""
    texts = run.outcome.words
    empty = texts.index("") if "" in texts else -1
    return run.texts(np.where(codes == empty, -1, codes))


def migration_phases(run: PlayedCase) -> dict[str, Made]:
    """Return the phases of each migration, in order.

    A phase in which nothing was sent has 0.
    """
    table = run.records["migration_phases"]
    return {
        "migration": (table["move"], "", "Row in the table migrations, counted from 0."),
        "vm": (run.names.vm(table["vm"]), "", "VM moved."),
        "phase": (run.texts(table["phase"]), "", "Phase of the migration."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "sent_gib": (table["sent_mib"] / MIB_PER_GIB, "GiB", "Data sent over the network."),
    }


def highest_use(run: PlayedCase) -> Floats:
    """Return each link's highest mean utilisation of a window, background included.

    One entry per direction of a link; a run shorter than the window is one window.
    """
    assert run.outcome.network is not None
    network = run.outcome.network.network
    busiest_bytes = run.records["links"]["busiest_bytes"]
    window_s = min(WINDOW_S, run.end_s)
    use: Floats = network.background + used_share(busiest_bytes, network.capacity_mbps, window_s)
    return use


def used_share(sent_bytes: Floats, capacity_mbps: Floats, length_s: Floats | float) -> Floats:
    """Return bytes over what the capacity would have carried in that time.

    One entry per direction of a link. A share, not in percent; 1 Mbit is 10^6 bits.
    """
    share: Floats = sent_bytes / (capacity_mbps * BYTES_PER_MEGABIT * length_s)
    return share


def links(run: PlayedCase) -> dict[str, Made]:
    """Return one row per direction of a link: what it carried, and shares of its bandwidth used.

    Only where migrations go over a network.

    A link that carried nothing has a row as well, with its background only. Each cable has two
    rows, one for each direction.
    """
    assert run.outcome.network is not None
    network, sent = run.outcome.network.network, run.records["links"]["sent_bytes"]
    moved = used_share(sent, network.capacity_mbps, run.end_s)
    return {
        "link": (network.names, "", "Ends of the link, in the direction of transfer."),
        "capacity_mbps": (network.capacity_mbps, "Mbit/s", "Bandwidth."),
        "latency_s": (network.latency_s, "s", "Latency, one way."),
        "background": (network.background, "share", "Share used by other traffic."),
        "sent_gib": (
            sent / BYTES_PER_GIB,
            "GiB",
            "Carried for migrations, including cross traffic.",
        ),
        "utilisation_mean": (
            network.background + moved,
            "share",
            "Utilisation, including background traffic.",
        ),
        "utilisation_max": (highest_use(run), "share", "Highest 5-minute mean of the same."),
    }


def link_series(run: PlayedCase) -> dict[str, Made]:
    """Return the utilisation of the busiest links over time, busiest first.

    One row per link and reporting interval; no rows where nothing was sent.

    What is left out, for reasons of size, is in the totals of the table ``links``.
    """
    assert run.outcome.network is not None
    network, series = run.outcome.network.network, run.records["link_series"]
    rows = _busiest(run)
    times_s = distinct(run.records["series"]["time_s"])
    length_s = np.diff(times_s)
    sent = np.zeros((len(rows), len(length_s)))
    place = np.full(len(network), -1)
    place[rows] = np.arange(len(rows))
    kept = place[series["link"]] >= 0
    column = np.searchsorted(times_s, series["time_s"][kept]) - 1
    sent[place[series["link"][kept]], column] = series["sent_bytes"][kept]
    capacity_mbps = np.repeat(network.capacity_mbps[rows], len(length_s))
    spans_s = np.tile(length_s, len(rows))
    moved = used_share(sent.ravel(), capacity_mbps, spans_s)
    return {
        "link": (
            words(np.repeat(rows, len(length_s)), network.names),
            "",
            f"One of the {SHOWN_LINKS} links used most by migrations, the busiest first.",
        ),
        "time_s": (np.tile(times_s[:-1], len(rows)), "s", "Start of the interval."),
        "interval_s": (spans_s, "s", "Length of the interval."),
        "sent_gib": (sent.ravel() / BYTES_PER_GIB, "GiB", "Carried for migrations."),
        "utilisation": (
            np.repeat(network.background[rows], len(length_s)) + moved,
            "share",
            "Utilisation, including background traffic.",
        ),
    }


def _busiest(run: PlayedCase) -> Ints:
    """Return up to ten links with the highest mean utilisation by migrations."""
    assert run.outcome.network is not None
    sent: Floats = run.records["links"]["sent_bytes"]
    use = sent / run.outcome.network.network.capacity_mbps
    rows: Any = np.argsort(-use, kind="stable")[:SHOWN_LINKS]
    return np.asarray(rows[use[rows] > 0], np.int64)
