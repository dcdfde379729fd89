"""Work that a run did not do, determined in one place for all texts.

It reads figures by name, as a summary holds them, so that a run that has just ended and one that
is read from its directory are told alike.

A farm that rejects half of its VMs uses little energy. No text may call that a saving, so that
verdict, savings and comparison all ask here first.
"""

from collections.abc import Mapping

from ...models.base.arrays import added
from ..base.wording import capital, complement, count, listed, of_all, percent, was

EQUAL_WORK = 0.01
"""Work that may differ between runs whose energy and cost are compared: 1 %.

A run that serves less by more than this is not said to save.
"""

EQUAL_SERVICE = 0.005
"""Share of the work by which a variant may serve less than another and still be marked best."""

LEFT_OUT = ("vms_rejected", "vms_waiting", "vms_lost")
"""Counts of VMs that had no host to the end; a variant with more of them serves less."""

ROUNDING = 1e-12
"""A share not served below this is what rounding leaves."""

Figures = Mapping[str, float | None]


def undone(figures: Figures) -> list[str]:
    """Return clauses about work not done, in order of importance.

    VMs that were rejected, waited at the end or were lost; time in which VMs were down; load of
    applications, requests and CPU that were not served. Empty where all was done.

    Figures that are absent or None count as 0, apart from ``vm_availability``, which counts as 1: a
    metric is absent where its topic does not occur. CPU that applications did not get is told of
    with the load of applications and is not told again.
    """

    def value(name: str) -> float:
        return figures.get(name) or 0.0

    told = _vms(value("vms_rejected"), "rejected", figures)
    waiting = value("vms_waiting")
    if waiting:
        told.append(f"{_part(waiting, figures)} had no host at the end")
    told += _vms(value("vms_lost"), "lost in a failed migration", figures)
    available = figures.get("vm_availability")
    if available is not None and available < 1.0:
        told.append(f"VMs were available {complement(available)} of the time")
    if value("applications_unserved_share"):
        share = percent(value("applications_unserved_share"))
        told.append(f"{share} of the load of applications was not served")
    if value("requests_waiting") >= 1.0:
        requests = count(round(value("requests_waiting")), "request")
        told.append(f"{requests} were still waiting at the end")
    for_applications = value("unserved_application_share")
    if unserved(figures) - for_applications > ROUNDING:
        told.append(f"{percent(unserved(figures))} of the requested CPU was not served")
    return told


def sentence(figures: Figures) -> str:
    """Return a sentence about work not done; empty if all was done."""
    told = undone(figures)
    return f"{capital(listed(told))}." if told else ""


def unserved(figures: Figures) -> float:
    """Return the share of the requested CPU work that was not done.

    Asked for is also what VMs would have wanted that were rejected, waited, were lost or down.

    A share from 0 to 1; what rounding leaves (below 1e-12) is 0. 0 as well where the figure is
    absent, as in a run in which no VM asked for CPU.
    """
    share = figures.get("unserved_share") or 0.0
    return share if share > ROUNDING else 0.0


def not_comparable(here: Figures, there: Figures) -> str:
    """Return why energy and cost of two runs cannot be compared; empty if they can.

    They can where both did the same work, up to :data:`EQUAL_WORK`.

    Only the first argument is asked whether any VM ran: a baseline in which none ran did no work,
    and is found by the comparison of work. Work is ``work_served_ghz_h``, as guests count it,
    without what hypervisors add, so that farms with different ones can be compared. The two sides
    are not interchangeable in the text: "this run" is ``here``.
    """
    if not here.get("vms_ran"):
        return "no VM ran"
    if unserved(here) > 1.0 - ROUNDING:
        return "no work was done"
    mine, other = here.get("work_served_ghz_h") or 0.0, there.get("work_served_ghz_h") or 0.0
    if mine < other * (1.0 - EQUAL_WORK):
        return f"this run did {percent(mine / other)} of the work done there"
    if other < mine * (1.0 - EQUAL_WORK):
        return f"{percent(other / mine)} of the work of this run was done there"
    return ""


def serving_as_much(runs: Mapping[str, Mapping[str, Figures]]) -> frozenset[str]:
    """Return the variants, each with its figures by level, of which none serves more than another.

    They serve as much as the one that serves most, in GHz h and as a share of what was asked for,
    at every level and up to :data:`EQUAL_SERVICE`, and leave out no more VMs; where no figures tell
    of work, all do. One that does nothing of what was asked for is never among them.

    A variant that lacks a level or a figure is not judged by it. The result may be empty: then each
    variant is beaten at some level, or nothing was done in any.
    """
    serving = {
        variant
        for variant, levels in runs.items()
        if not any(unserved(figures) > 1.0 - ROUNDING for figures in levels.values())
    }
    for level in dict.fromkeys(level for levels in runs.values() for level in levels):
        for name in ("work_served_ghz_h", "work_served_share"):
            done = {
                variant: value
                for variant, levels in runs.items()
                if (value := levels.get(level, {}).get(name)) is not None
            }
            most = max(done.values(), default=0.0)
            least = most * (1.0 - EQUAL_SERVICE)
            serving -= {variant for variant, value in done.items() if value < least}
        out = {
            variant: added(levels[level].get(name) or 0.0 for name in LEFT_OUT)
            for variant, levels in runs.items()
            if level in levels
        }
        serving -= {variant for variant, number in out.items() if number > min(out.values())}
    return frozenset(serving)


def at_instant(rejected: int, waiting: int, lost: int, vms: int) -> str:
    """Return a sentence about VMs without a host at an instant; empty if there are none.

    ``vms`` is how many there are in all; VMs that came and went before are not counted as left out.
    """
    figures = {"vms": vms, "vms_rejected": rejected, "vms_lost": lost}
    told = _vms(rejected, "rejected", figures)
    if waiting:
        told.append(f"{_part(waiting, figures)} {'has' if waiting == 1 else 'have'} no host")
    told += _vms(lost, "lost in a failed migration", figures)
    return f"{capital(listed(told))}." if told else ""


def _vms(number: float, what: str, figures: Figures) -> list[str]:
    return [f"{_part(number, figures)} {was(number)} {what}"] if number else []


def _part(number: float, figures: Figures) -> str:
    """Return how many of the VMs; members of applications are not all asked for."""
    whole = figures.get("vms") or 0.0
    if "scale_outs" in figures or whole < number:
        return count(number, "VM")
    return of_all(number, whole, "VM")
