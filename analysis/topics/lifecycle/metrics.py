"""Lives of VMs: when each was asked for, ran and left, and how many were in which state.

Only where VMs come and go, applications scale, or something fails.
"""

import numpy as np

from ....models.base.arrays import Floats
from ....models.base.quantiles import nearest_rank
from ....models.state.columns import VmState
from ....policies.interface.plan import Search
from ....sim.outcome import Outcome
from ...base.played_case import PlayedCase
from ...base.table_columns import Made
from ...base.topic import Section, Topic, TopicTable
from ...base.units_and_ratios import MHZ_S_PER_GHZ_H, S_PER_H, nullable
from .figures import LIFE_FIGURES

REJECTED_PREFIX = "rejected: "
"""How the event begins that ends the life of a VM for which there is no host."""


def present_s(outcome: Outcome) -> Floats:
    """Return for how long each VM was there: from its first run to its end, or the run's.

    Time that nobody wanted it in between does not count.

    (vms,), in s; 0 for VMs that never ran.
    """
    lives = outcome.lives
    ended_s = np.where(np.isnan(lives.ended_s), outcome.end_s, lives.ended_s)
    span_s: Floats = np.where(np.isnan(lives.ran_s), 0.0, ended_s - lives.ran_s - lives.absent_s)
    return span_s


def waited_s(outcome: Outcome) -> Floats:
    """Return how long each VM waited to run for the first time, s; NaN where nobody asked for it.

    One that never ran waited until it was turned away, or until the run ended.
    """
    lives = outcome.lives
    until_s = np.where(np.isnan(lives.ran_s), lives.ended_s, lives.ran_s)
    until_s = np.where(np.isnan(until_s), outcome.end_s, until_s)
    waited: Floats = until_s - lives.asked_s
    return waited


def availability(outcome: Outcome) -> Floats:
    """Return ``1 - down / present`` per VM; 1 for those that never ran.

    (vms,), a share from 0 to 1.
    """
    span_s = present_s(outcome)
    down = np.divide(outcome.lives.down_s, span_s, out=np.zeros(len(span_s)), where=span_s > 0)
    available: Floats = 1.0 - down
    return available


def life_values(run: PlayedCase) -> dict[str, float]:
    """Return the figures by name, none where VMs are there from the start and nothing fails.

    Waits are those of VMs that ran, 0 where none did.

    ``vms_arrived`` are those asked for after the start, ``vms_lost`` those that crashed with a
    failed migration, ``vms_waiting`` those in the queue as the run ends, whether or not they ran
    before.
    Waits are in s, from the first request to the first run; those still waiting are not in them.
    """
    if not run.case.living:
        return {}
    lives, state = run.outcome.lives, run.farm.vms.state
    asked = ~np.isnan(lives.asked_s)
    waits_s = waited_s(run.outcome)[~np.isnan(lives.ran_s)]
    return {
        "vms_arrived": int(np.count_nonzero(asked & (lives.asked_s > 0))),
        "vms_finished": int(np.count_nonzero(state == VmState.FINISHED)),
        "vms_lost": int(np.count_nonzero(lives.losses)),
        "vms_waiting": int(np.count_nonzero((state == VmState.WAITING) & asked)),
        "vms_running_max": run.farm.max_running,
        "queue_max": run.outcome.longest_queue,
        "wait_mean_s": float(waits_s.mean()) if len(waits_s) else 0.0,
        "wait_p95_s": nearest_rank(waits_s, 0.95),
    }


def life_columns(run: PlayedCase) -> dict[str, Made]:
    """Return what the table of VMs has besides, where VMs come and go or hosts fail.

    Times since the start in h, null where that never happened; ``waited_s`` is null for VMs that
    were never asked for.
    """
    if not run.case.living:
        return {}
    lives = run.outcome.lives
    return {
        "arrived_h": (nullable(lives.asked_s / S_PER_H), "h", "When it was first requested."),
        "started_h": (nullable(lives.ran_s / S_PER_H), "h", "When it started for the first time."),
        "ended_h": (nullable(lives.ended_s / S_PER_H), "h", "When it ended, if it did."),
        "waited_s": (
            nullable(waited_s(run.outcome)),
            "s",
            "From the first request until it ran or was finally rejected.",
        ),
        "down_s": (lives.down_s, "s", "Time in which it did not run after its first start."),
        "availability": (
            availability(run.outcome),
            "share",
            "Time in which it ran divided by the time from its first start to its end.",
        ),
        "crashes": (
            lives.crashes,
            "times",
            "Number of times its host failed while it ran, or a failure lost its memory during a "
            "migration.",
        ),
        "lost_ghz_h": (
            lives.lost_mhz_s / MHZ_S_PER_GHZ_H,
            "GHz h",
            "CPU demand while it was down.",
        ),
    }


def reasons(outcome: Outcome) -> list[str]:
    """Return why each VM was rejected, or what hosts lack while it waits; empty for others.

    (vms,), texts. Counts of hosts are from the last search for the VM.
    """
    table = outcome.tables["vm_events"]
    lacking = {vm: _lacking(search) for vm, search in outcome.searches.items()}
    found = [""] * len(outcome.farm.vms)
    for vm, text in lacking.items():
        found[vm] = text
    for word, text in enumerate(outcome.words):
        if not text.startswith(REJECTED_PREFIX):
            continue
        why = text.removeprefix(REJECTED_PREFIX)
        for vm in table["vm"][table["event"] == word].tolist():
            found[vm] = f"{why}: {lacking[vm]}" if vm in lacking else why
    return found


def _lacking(search: Search) -> str:
    """Say of how many hosts of a search each lacked what."""
    text = (
        f"of {search.considered} hosts {search.no_cpu} lack CPU, {search.no_memory} lack memory, "
        f"{search.vetoed} would be overloaded, {search.barred} are excluded"
    )
    return f"{text}; excluded by rules: {search.rules}" if search.rules else text


def vm_events(run: PlayedCase) -> dict[str, Made]:
    """Return what happened to VMs, in order of time.

    VMs that are there from the start have no event for it.
    """
    table = run.records["vm_events"]
    return {
        "time_s": (table["time_s"], "s", "When it happened."),
        "vm": (run.names.vm(table["vm"]), "", "VM concerned."),
        "event": (run.texts(table["event"]), "", "What happened."),
        "host": (run.names.host(table["host"]), "", "Its present or last host; null if none."),
    }


def population(run: PlayedCase) -> dict[str, Made]:
    """Return how many VMs were in which state, one row per reporting instant.

    Counts are of that instant, not means.

    VMs that have ended, or were not asked for yet, are in no column.
    """
    table = run.records["population"]
    return {
        "time_s": (table["time_s"], "s", "Instant."),
        "running": (table["running"], "VMs", "VMs running, including those being migrated."),
        "starting": (table["starting"], "VMs", "VMs being provisioned on a host."),
        "waiting": (table["waiting"], "VMs", "VMs in the queue for a host."),
        "down": (table["down"], "VMs", "VMs that have run but are down now."),
    }


def _is_living(run: PlayedCase) -> bool:
    return run.case.living


ONLY = "Only where VMs come and go, or hosts fail."
LIFECYCLE = Topic(
    name="lifecycle",
    values=life_values,
    tables=(
        TopicTable("vm_events", vm_events, _is_living, ONLY),
        TopicTable("population", population, _is_living, ONLY),
    ),
    figures=LIFE_FIGURES,
    section=Section(
        "Lives",
        (
            "vms_arrived",
            "vms_finished",
            "vms_lost",
            "vms_waiting",
            "vms_running_max",
            "queue_max",
            "wait_mean_s",
            "wait_p95_s",
        ),
    ),
)
