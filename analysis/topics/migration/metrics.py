"""Figures of migrations: how many, how much, how long, and what they took of a network."""

import numpy as np

from ....models.base.cost import JOULE_PER_KWH
from ....models.base.quantiles import nearest_rank
from ...base.played_case import PlayedCase
from ...base.topic import Section, Topic, TopicTable
from ...base.units_and_ratios import MIB_PER_GIB
from . import tables
from .figures import MIGRATION_FIGURES, NETWORK_FIGURES, migrations_of


def network_values(run: PlayedCase) -> dict[str, float]:
    """Return the figures by name, none where the migration model uses no network.

    Downtimes are those of moves whose model knows any; means and extremes of nothing are left
    out.

    Times are in s, quantiles by nearest rank. Migrations that had not ended as the run did count
    for energy and links only. Energy is attributed to migrations after Liu et al. (2011); it is
    part of what hosts draw already and is not added to it.
    """
    if run.outcome.network is None:
        return {}
    moves = run.records["migrations"]
    done = moves["finished"]
    downtime_s = moves["downtime_s"][done]
    downtime_s = downtime_s[~np.isnan(downtime_s)]
    waited_s = (moves["start_s"] - moves["decided_s"])[done]
    without = run.outcome.words.index("") if "" in run.outcome.words else -1
    found = {}
    if len(downtime_s):
        found = {
            "downtime_mean_s": float(downtime_s.mean()),
            "downtime_p99_s": nearest_rank(downtime_s, 0.99),
            "downtime_max_s": float(downtime_s.max()),
        }
    if len(waited_s):
        found["migration_wait_mean_s"] = float(waited_s.mean())
    return found | {
        "migration_energy_kwh": float(moves["energy_j"].sum()) / JOULE_PER_KWH,
        "link_utilisation_max": float(tables.highest_use(run).max(initial=0.0)),
        "migrations_not_converged": int(np.count_nonzero(moves["reaction"] != without)),
    }


def migration_values(run: PlayedCase) -> dict[str, float]:
    """Return how many migrations ended, how long they took, and what they copied, GiB.

    ``migration_mean_s`` is there only where any ended.

    Migrations that were called off, or had not ended as the run did, do not count. A mean is from
    the begin of the copy, waiting left out.
    """
    table = run.records["migrations"]
    done = table["finished"]
    took_s = (table["end_s"] - table["start_s"])[done]
    mean_s = {"migration_mean_s": float(took_s.sum()) / len(took_s)} if len(took_s) else {}
    return mean_s | {
        "migrations": int(done.sum()),
        "migrated_gib": float(table["copied_mib"][done].sum()) / MIB_PER_GIB,
        "vm_migrations_max": int(run.farm.vm_accounts.migrations.max(initial=0)),
    }


MIGRATIONS = Topic(
    name="migrations",
    values=migration_values,
    tables=(TopicTable("migrations", tables.migrations), TopicTable("decisions", tables.decisions)),
    figures=MIGRATION_FIGURES,
    section=Section(
        "Motion",
        (
            "migrations",
            "migrated_gib",
            "migration_mean_s",
            "vm_migrations_max",
            "host_boots",
            "host_shutdowns",
        ),
    ),
)


def _over_network(run: PlayedCase) -> bool:
    return run.outcome.network is not None


ONLY = (
    "Only where moves use the network: by every migration model, by `fixed_rate` where the "
    "scenario says anything of a network."
)
NETWORK = Topic(
    name="migrations over a network",
    values=network_values,
    tables=(
        TopicTable("migration_phases", tables.migration_phases, _over_network, ONLY),
        TopicTable("links", tables.links, _over_network, ONLY),
        TopicTable("link_series", tables.link_series, _over_network, ONLY),
    ),
    figures=NETWORK_FIGURES,
    section=Section(
        "Moves",
        (
            "downtime_mean_s",
            "downtime_p99_s",
            "downtime_max_s",
            "migration_wait_mean_s",
            "migrations_not_converged",
            "migration_energy_kwh",
            "link_utilisation_max",
        ),
    ),
    facts={"moves": migrations_of},
)
