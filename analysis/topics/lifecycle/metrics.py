"""Lives of VMs as figures and tables; only where VMs come and go or hosts fail."""

import numpy as np

from ....models.accounts.accounts import Rate
from ....models.base.arrays import Floats
from ....models.base.quantiles import nearest_rank
from ....models.state.columns import VmState
from ....policies.interface.plan import Search
from ....scenarios.build.build import Case
from ....sim.engine import Outcome
from ...base.table_columns import Made, Names, words
from ...base.units_and_ratios import MHZ_S_PER_GHZ_H, S_PER_H, nullable

TURNED_AWAY = "rejected: "
"""How the event begins that ends the life of a VM for which there is no host."""


def present_s(outcome: Outcome) -> Floats:
    """Return for how long each VM was there: from its first run to its end, or the run's.

    Time that nobody wanted it in between does not count.
    """
    lives = outcome.lives
    ended_s = np.where(np.isnan(lives.ended_s), outcome.end_s, lives.ended_s)
    span_s: Floats = np.where(np.isnan(lives.ran_s), 0.0, ended_s - lives.ran_s - lives.absent_s)
    return span_s


def waited_s(outcome: Outcome) -> Floats:
    """Return how long each VM waited to run for the first time; NaN where nobody asked for it."""
    lives = outcome.lives
    until_s = np.where(np.isnan(lives.ran_s), lives.ended_s, lives.ran_s)
    until_s = np.where(np.isnan(until_s), outcome.end_s, until_s)
    waited: Floats = until_s - lives.asked_s
    return waited


def availability(outcome: Outcome) -> Floats:
    """Return ``1 - down / present`` per VM; 1 for those that never ran."""
    span_s = present_s(outcome)
    down = np.divide(outcome.lives.down_s, span_s, out=np.zeros(len(span_s)), where=span_s > 0)
    available: Floats = 1.0 - down
    return available


def life_values(case: Case, outcome: Outcome) -> dict[str, float]:
    """Return the figures by name, none where VMs are there from the start and nothing fails."""
    if not case.living:
        return {}
    lives, farm = outcome.lives, outcome.farm
    state = farm.vms.state
    asked = ~np.isnan(lives.asked_s)
    ran = ~np.isnan(lives.ran_s)
    waits_s = waited_s(outcome)[ran]
    span_s = present_s(outcome)
    hosts_s = outcome.end_s * len(farm.hosts)
    failed_s = float(farm.accounts.total(Rate.FAILED).sum())
    down_s, present = float(lives.down_s.sum()), float(span_s.sum())
    return {
        "vms_arrived": int(np.count_nonzero(asked & (lives.asked_s > 0))),
        "vms_finished": int(np.count_nonzero(state == VmState.FINISHED)),
        "vms_lost": int(np.count_nonzero(lives.losses)),
        "vms_waiting": int(np.count_nonzero((state == VmState.WAITING) & asked)),
        "vms_running_max": farm.most_running,
        "queue_max": outcome.longest_queue,
        "wait_mean_s": float(waits_s.mean()) if len(waits_s) else 0.0,
        "wait_p95_s": nearest_rank(waits_s, 0.95),
        "host_failures": int(farm.accounts.failures.sum()),
        "host_availability": 1.0 - failed_s / hosts_s,
        "vm_crashes": int(lives.crashes.sum()),
        "vm_availability": 1.0 - down_s / present if present else 1.0,
        "vm_downtime_h": down_s / S_PER_H,
        "lost_work_ghz_h": float(lives.lost_mhz_s.sum()) / MHZ_S_PER_GHZ_H,
    }


def life_columns(case: Case, outcome: Outcome) -> dict[str, Made]:
    """Return what the table of VMs has besides, where VMs come and go or hosts fail."""
    if not case.living:
        return {}
    lives = outcome.lives
    return {
        "asked_h": (nullable(lives.asked_s / S_PER_H), "h", "When it was first asked for."),
        "ran_h": (nullable(lives.ran_s / S_PER_H), "h", "When it first ran."),
        "ended_h": (nullable(lives.ended_s / S_PER_H), "h", "When it left, if it did."),
        "waited_s": (
            nullable(waited_s(outcome)), "s", "From the first request until it ran, or was "
            "turned away for good.",
        ),
        "down_s": (lives.down_s, "s", "Time that it did not run after it first had."),
        "availability": (
            availability(outcome), "share", "Time that it ran over the time from its first run to "
            "its end.",
        ),
        "crashes": (lives.crashes, "times", "Times that its host failed under it, or a failure "
                    "took its memory while it was moved."),
        "lost_ghz_h": (
            lives.lost_mhz_s / MHZ_S_PER_GHZ_H, "GHz h", "CPU that it would have asked for while "
            "it was down.",
        ),
    }  # fmt: skip


def reasons(outcome: Outcome) -> list[str]:
    """Return for each VM why it was turned away for good, or what hosts lack while it waits."""
    table = outcome.tables["vm_events"]
    lacking = {vm: _lacking(search) for vm, search in outcome.searches.items()}
    found = [""] * len(outcome.farm.vms)
    for vm, text in lacking.items():
        found[vm] = text
    for word, text in enumerate(outcome.words):
        if not text.startswith(TURNED_AWAY):
            continue
        why = text.removeprefix(TURNED_AWAY)
        for vm in table["vm"][table["event"] == word].tolist():
            found[vm] = f"{why}: {lacking[vm]}" if vm in lacking else why
    return found


def _lacking(search: Search) -> str:
    text = (
        f"of {search.considered} hosts {search.no_cpu} lack CPU, {search.no_memory} lack memory, "
        f"{search.vetoed} lack headroom, {search.barred} may not take it"
    )
    return f"{text}; barred by rules: {search.rules}" if search.rules else text


def vm_events(outcome: Outcome, names: Names) -> dict[str, Made]:
    """Return what happened to VMs, in order of time."""
    table = outcome.tables["vm_events"]
    return {
        "time_s": (table["time_s"], "s", "When it happened."),
        "vm": (names.vm(table["vm"]), "", "VM concerned."),
        "event": (words(table["event"], outcome.words), "", "What happened."),
        "host": (names.host(table["host"]), "", "Host that it has, or had; null for none."),
    }


def population(outcome: Outcome) -> dict[str, Made]:
    """Return how many VMs were in which state, at the instants of the series."""
    table = outcome.tables["population"]
    return {
        "time_s": (table["time_s"], "s", "Instant."),
        "running": (table["running"], "VMs", "VMs that run, those being moved included."),
        "starting": (table["starting"], "VMs", "VMs that are being provisioned on a host."),
        "waiting": (table["waiting"], "VMs", "VMs in the queue for a host."),
        "down": (table["down"], "VMs", "VMs that ran, and do not run now."),
    }
