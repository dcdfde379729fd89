"""What a run leaves behind."""

from collections.abc import Mapping

from ..models.base.lazy_dataclass import dataclass
from ..models.farm.farm import Farm
from ..models.state.lifetimes import Lifetimes
from ..policies.interface.plan import Search
from .base.log import Column
from .migration.over_network import NetworkSetup
from .records.accounts import Accounts
from .records.idle_states import SleepRecord


@dataclass(frozen=True)
class Outcome:
    """All that a run leaves behind, settled at ``end_s``; nothing changes any more.

    ``tables`` refer to hosts, VMs, links and ``words`` by number; ``searches`` has how VMs were
    searched that found no host. ``rounds`` is how often the control policy decided. ``network`` is
    what moves went over, None where the migration model uses none; ``below_reserve_s`` how long
    the reserve was not whole; ``longest_queue`` how many VMs waited at once at the most;
    ``noted`` counts what policies noted of their decisions.

    The tables of every run, by name; each is a dict of columns of equal length:

    - ``decisions``, ``migrations``, ``migration_phases``: what was proposed, and how migrations
      went;
    - ``vm_events``, ``population``, ``outages``: lives of VMs, counts by state, failures;
    - ``power_events``, ``sleep_refusals``, ``awake``: power states of hosts, and hosts on per
      group;
    - ``violations``: periods in which a host was short of CPU;
    - ``series``, ``steps``, ``utilisation_map``: integrals so far at each sample, instants of the
      demand, mean utilisation by host and time.

    Where they apply: ``host_series``, ``links``, ``link_series``, ``broken_rules``, ``scaling``,
    ``shortages``, ``application_series``, ``reserve``, ``maintenance``. Times are in s from time 0;
    the unit of other columns is the end of their name.
    """

    farm: Farm
    accounts: Accounts
    end_s: float
    tables: dict[str, dict[str, Column]]
    words: list[str]
    searches: dict[int, Search]
    rounds: int
    lives: Lifetimes
    sleep_record: SleepRecord
    network: NetworkSetup | None
    below_reserve_s: float
    longest_queue: int
    noted: Mapping[str, int]
