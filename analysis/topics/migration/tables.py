"""Tables and columns on moves over a network: what they took, phase by phase, link by link."""

from typing import Any

import numpy as np
import pyarrow as pa

from ....models.base.arrays import Floats, Ints
from ....sim.engine import Outcome
from ...base.table_columns import Made, Names, words
from ...base.units_and_ratios import BYTES_PER_GIB, MIB_PER_GIB
from .metrics import highest_use, used_share

SHOWN_LINKS = 10


def move_columns(outcome: Outcome) -> dict[str, Made]:
    """Return what migrations have besides their times; null where the model knows no such thing."""
    table = outcome.tables["migrations"]
    blank = np.isnan(table["downtime_s"])
    reacted, way = table["reaction"].copy(), table["way"].copy()
    if "" in outcome.words:
        reacted[reacted == outcome.words.index("")] = -1
        way[way == outcome.words.index("")] = -1
    return {
        "waited_s": (
            table["start_s"] - table["decided_s"], "s", "From the decision until the copy began: "
            "for room at the target, for it to boot, or for a place at both ends.",
        ),
        "downtime_s": (
            pa.array(table["downtime_s"], mask=blank), "s", "Time that the VM stood still or was "
            "not reachable; null where the model knows no downtime.",
        ),
        "rounds": (
            pa.array(table["rounds"], mask=blank), "rounds", "Copies of pages dirtied meanwhile, "
            "after the first pass and while the VM ran.",
        ),
        "source_cpu_s": (
            table["source_cpu_s"], "s", "Work of the source for the move, in seconds of what the "
            "VM asked for.",
        ),
        "target_cpu_s": (
            table["target_cpu_s"], "s", "The same of the target.",
        ),
        "guest_lost_s": (
            table["guest_lost_s"], "s", "What the VM went without because of the move, in seconds "
            "of what it asked for; standstill included.",
        ),
        "energy_j": (
            table["energy_j"], "J", "Energy attributed to both hosts, 0.512 J per 10^6 bytes sent "
            "and 20.165 J (Liu et al. 2011); not added to the farm's.",
        ),
        "reaction": (
            words(reacted, outcome.words), "", "What was resorted to where pre-copy did not "
            "converge; null where it did.",
        ),
        "way": (
            words(way, outcome.words), "", "How the move went where it waited for room that others "
            "freed: after others, aside first, by way of a third host, or suspended on the way, "
            "its memory written to storage; null where it began at once.",
        ),
    }  # fmt: skip


def migration_phases(outcome: Outcome, names: Names) -> dict[str, Made]:
    """Return the phases of each move, in order."""
    table = outcome.tables["migration_phases"]
    return {
        "move": (table["move"], "", "Row of the move in migrations, counted from 0."),
        "vm": (names.vm(table["vm"]), "", "VM moved."),
        "phase": (words(table["phase"], outcome.words), "", "What was done."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "sent_gib": (table["sent_mib"] / MIB_PER_GIB, "GiB", "Sent over the network meanwhile."),
    }


def links(outcome: Outcome) -> dict[str, Made]:
    """Return what each direction of a link carried."""
    assert outcome.network is not None
    network, sent = outcome.network.network, outcome.tables["links"]["sent_bytes"]
    moved = used_share(sent, network.capacity_mbps, outcome.end_s)
    return {
        "link": (pa.array(network.names), "", "Ends of the link, in the direction of the bytes."),
        "capacity_mbps": (network.capacity_mbps, "Mbit/s", "Bandwidth."),
        "latency_s": (network.latency_s, "s", "Latency, one way."),
        "background": (network.background, "share", "Part that other traffic takes."),
        "sent_gib": (sent / BYTES_PER_GIB, "GiB", "Carried for moves, cross traffic included."),
        "utilisation_mean": (
            network.background + moved, "share", "Use of the bandwidth, background included."
        ),
        "utilisation_max": (
            highest_use(outcome), "share", "The same, highest mean of 5 min."
        ),
    }  # fmt: skip


def link_series(outcome: Outcome) -> dict[str, Made]:
    """Return the course of the links that were used most, the busiest first."""
    assert outcome.network is not None
    network, series = outcome.network.network, outcome.tables["link_series"]
    rows = _busiest(outcome)
    times_s = np.unique(outcome.tables["series"]["time_s"])
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
            words(np.repeat(rows, len(length_s)), network.names), "",
            f"One of the {SHOWN_LINKS} links that moves used most, the busiest first.",
        ),
        "time_s": (np.tile(times_s[:-1], len(rows)), "s", "Start of the interval."),
        "interval_s": (spans_s, "s", "Length of the interval."),
        "sent_gib": (sent.ravel() / BYTES_PER_GIB, "GiB", "Carried for moves."),
        "utilisation": (
            np.repeat(network.background[rows], len(length_s)) + moved, "share",
            "Use of the bandwidth, background included.",
        ),
    }  # fmt: skip


def _busiest(outcome: Outcome) -> Ints:
    """Return the links with the highest mean use by moves, at most ten, none unused."""
    assert outcome.network is not None
    sent: Floats = outcome.tables["links"]["sent_bytes"]
    use = sent / outcome.network.network.capacity_mbps
    rows: Any = np.argsort(-use, kind="stable")[:SHOWN_LINKS]
    return np.asarray(rows[use[rows] > 0], np.int64)
