"""Work that VMs requested: what was done of it, and why the rest was not.

Work is CPU demand over time as guests count it, in MHz s inside and GHz h outside. Of what was
asked for, each MHz s is either done or has exactly one cause for which it was not.
"""

from collections.abc import Mapping

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.base.arrays import Floats
from ...models.base.lazy_dataclass import dataclass
from ...sim.outcome import Outcome
from ..base.played_case import PlayedCase
from ..base.table_columns import Made
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import MHZ_S_PER_GHZ_H, mean_ratio, ratio
from .elasticity.metrics import missed_mhz_s

ROUNDING = 1e-9
"""A part of what a VM missed below this is what rounding leaves of a difference."""

CAUSES = ("saturated", "vm_limit", "overhead", "migration", "not_running", "application")
"""Why work was not done, in the order of the metrics ``unserved_<cause>_share``."""

BECAUSE = {
    "saturated": "hosts were saturated",
    "vm_limit": "VMs requested more than their vCPUs, limits or cores can provide",
    "overhead": "virtualisation overhead consumed the VMs' vCPUs",
    "migration": "migrations consumed it",
    "not_running": "requested VMs did not run",
    "application": "applications had too few running members",
}
"""How to say why work was not done, by cause."""


@dataclass(frozen=True)
class Work:
    """Work in MHz s, one entry per VM: requested, and unserved by cause.

    ``beyond_members_mhz_s`` is the load of applications for which no member ran.
    """

    on_host: Floats
    not_done: dict[str, Floats]
    beyond_members_mhz_s: float

    @property
    def asked(self) -> Floats:
        """Work requested by each VM, whether or not it ran.

        (vms,), MHz s. The load of applications without members is in ``beyond_members_mhz_s`` only.
        """
        return self.on_host + self.not_done["not_running"]

    @property
    def missed(self) -> Floats:
        """Work of each VM that was not done.

        (vms,), MHz s: the sum of all causes.
        """
        missed: Floats = np.sum(list(self.not_done.values()), axis=0)
        return missed


def work_of(outcome: Outcome) -> Work:
    """Return the work requested by the VMs of a run, and the unserved part by cause.

    One entry per VM, in MHz s. What hosts had no CPU left for is what remains of the work not
    delivered once the VM's own limits and the overhead inside it are taken off; a remainder that is
    only rounding counts as 0.
    """
    farm, accounts = outcome.farm, outcome.farm.vm_accounts
    own = accounts.limit_mhz_s + accounts.overhead_mhz_s
    at_host = accounts.unserved_mhz_s - own
    return Work(
        accounts.requested_mhz_s,
        {
            "saturated": np.where(at_host > ROUNDING * accounts.unserved_mhz_s, at_host, 0.0),
            "vm_limit": np.maximum(accounts.limit_mhz_s, 0.0),
            "overhead": np.maximum(accounts.overhead_mhz_s, 0.0),
            "migration": accounts.degraded_mhz_s,
            "not_running": farm.not_running.missed_mhz_s(outcome.lives, outcome.end_s),
        },
        missed_mhz_s(outcome),
    )


def work_values(outcome: Outcome) -> dict[str, float]:
    """Return work asked for and done in GHz h, and the shares of it that were not done by cause.

    All shares are 0, and the work served is 1, where nothing was asked for.

    ``unserved_share`` is the sum of the shares by cause, and 1 less ``work_served_share``. The
    share of a run of which every VM was rejected is 1, not 0: VMs that never ran asked for work as
    well.
    """
    work = work_of(outcome)
    asked = float(work.asked.sum()) + work.beyond_members_mhz_s
    missed = {cause: float(each.sum()) for cause, each in work.not_done.items()}
    missed["application"] = work.beyond_members_mhz_s
    shares = {cause: missed[cause] / asked if asked > 0 else 0.0 for cause in CAUSES}
    unserved = float(np.sum(list(shares.values())))
    return {
        "work_requested_ghz_h": asked / MHZ_S_PER_GHZ_H,
        "work_served_ghz_h": asked * max(1.0 - unserved, 0.0) / MHZ_S_PER_GHZ_H,
        "work_served_share": max(1.0 - unserved, 0.0),
        "unserved_share": unserved,
        **{f"unserved_{cause}_share": share for cause, share in shares.items()},
    }


def main_cause(values: Mapping[str, float]) -> tuple[str, float]:
    """Return the main cause of unserved work as text, and its share of all work.

    ``values`` are metrics by name, some work not done among them.

    Of equal causes the first in :data:`CAUSES`. Raises KeyError if a share is missing.
    """
    shares = {cause: values[f"unserved_{cause}_share"] for cause in CAUSES}
    cause = max(CAUSES, key=lambda each: shares[each])
    return BECAUSE[cause], shares[cause]


def service_values(run: PlayedCase) -> dict[str, float]:
    """Return work requested and served, and SLA violations as defined by CloudSim."""
    return work_values(run.outcome) | _violation_values(run)


def _violation_values(run: PlayedCase) -> dict[str, float]:
    """Return SLATAH and PDM of Beloglazov and Buyya (2012), as means and pooled.

    SLATAH is the share of active time at 100 % of CPU, by host; PDM the share of CPU asked for that
    migrations took, by VM. Hosts that were never active and VMs that asked for nothing do not
    count.

    With T the time and C the CPU work in MHz s,

    - ``slatah`` = mean over hosts of T(saturated) / T(active), and
    - ``pdm`` = mean over VMs of C(degraded by migrations) / C(asked for).

    CloudSim takes a fixed 10 % of CPU lost during a migration; here it is what the migration model
    took. Pooled values divide the sums, so that a host that was active for a minute counts for a
    minute. All are 0 where nothing was active or asked for.
    """
    totals, vms = run.farm.accounts.totals, run.farm.vm_accounts
    requested, degraded = float(vms.requested_mhz_s.sum()), float(vms.degraded_mhz_s.sum())
    active_s, short_s = totals[Rate.ACTIVE], totals[Rate.VIOLATING]
    return {
        "slatah": mean_ratio(short_s, active_s),
        "pdm": mean_ratio(vms.degraded_mhz_s, vms.requested_mhz_s),
        "slatah_pooled": ratio(float(short_s.sum()), float(active_s.sum())),
        "pdm_pooled": ratio(degraded, requested),
    }


def violations(run: PlayedCase) -> dict[str, Made]:
    """Return the periods in which a host had no CPU, or I/O, left for its VMs.

    One row per period; ``unserved_ghz_h`` is what its VMs were not served meanwhile.

    Without saturated hosts the table has no rows. A period that had not ended lasts until the end
    of the run.
    """
    table = run.records["violations"]
    return {
        "host": (run.names.host(table["host"]), "", "Host that violated the SLA."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
        "unserved_ghz_h": (
            table["unserved_mhz_s"] / MHZ_S_PER_GHZ_H,
            "GHz h",
            "Work not served during the violation because the CPU or I/O of the host was "
            "saturated.",
        ),
    }


SERVICE = Topic(
    name="service",
    values=service_values,
    tables=(TopicTable("violations", violations),),
    section=Section(
        "Service",
        (
            "work_requested_ghz_h",
            "work_served_ghz_h",
            "work_served_share",
            "unserved_share",
            *(f"unserved_{cause}_share" for cause in CAUSES),
            "slatah",
            "pdm",
            "slav",
            "esv",
            "slatah_pooled",
            "pdm_pooled",
            "slav_pooled",
        ),
    ),
)
