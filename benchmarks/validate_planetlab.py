"""Reproduce the published PlanetLab consolidation experiment and print it beside the reference.

``python benchmarks/validate_planetlab.py`` runs the day that farmsim ships; ``--traces DIR``
takes a folder with one sub-folder of PlanetLab text files per day and runs every day of the
reference that is in it. ``--markdown PAGE`` writes the tables of docs/validation.md anew. The
exit code is 1 if, with ample memory and counted as the reference counts, a cell is outside its
tolerance, or if the order of the policies differs.

The reference is a restatement of the experiment of Beloglazov and Buyya (2012), checked against
CloudSim; its rows are in ``benchmarks/data/restatement.csv``.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import validation_tables

import farmsim
from farmsim.analysis.base.played_case import PlayedCase
from farmsim.analysis.measure.metrics import measure
from farmsim.analysis.measure.tables import make_tables
from farmsim.models.accounts.accounts import VmAccounts
from farmsim.models.base.arrays import Floats, Ints
from farmsim.scenarios.build.build import build

HERE = Path(__file__).parent
SCENARIO = "library/beloglazov2012"
SHIPPED_DAY = "20110303"
STEP_S = 300.0
HOST_MIB = 4096e6 / 2**20
KWH_PER_W_S = 1 / 3.6e6
GUEST_LOSS = 0.1
DIGITS = 8

REAL_MEMORY = ("farm.hosts.g4.memory=4096 MB", "farm.hosts.g5.memory=4096 MB")
FIRST_FIT = (*REAL_MEMORY, "policies.initial.placement=first_fit")
DETECTOR = "policies.control.overload="
THR = DETECTOR + "{policy: static_threshold, threshold: 80 %}"
IQR = DETECTOR + "{policy: interquartile_range, safety: 1.5}"
MAD = DETECTOR + "{policy: median_absolute_deviation, safety: 2.5}"
LR = DETECTOR + "{policy: local_regression, weights: none, safety: 1.2}"

POLICIES: dict[str, tuple[str, ...]] = {
    "npa": (
        *FIRST_FIT,
        "policies.control=none",
        "farm.hosts.g4.power={model: constant, power: 117 W}",
        "farm.hosts.g5.power={model: constant, power: 135 W}",
    ),
    "dvfs": (*FIRST_FIT, "policies.control=power_proportional"),
    "thr": (THR,),
    "iqr": (IQR,),
    "mad": (MAD,),
    "lr": (LR,),
}
"""What each policy of the experiment changes in the scenario."""

PRICED = "placement={policy: power_aware_best_fit_decreasing, compare_with: tentative}"
SWITCHING = tuple(
    f"farm.hosts.{group}.{what}"
    for group in ("g4", "g5")
    for what in ("off_power=5 W", "boot={duration: 260 s}", "shutdown={duration: 60 s}")
)
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "published": ("as published", ()),
    "memory": ("memory of 4096 MB per host enforced", REAL_MEMORY),
    "true_increase": (
        "power increase taken from the load that the host will have",
        (f"policies.initial.{PRICED}", f"policies.control.{PRICED}"),
    ),
    "true_increase_memory": (
        "both: true power increase, 4096 MB enforced",
        (f"policies.initial.{PRICED}", f"policies.control.{PRICED}", *REAL_MEMORY),
    ),
    "drain_half": ("only hosts below 50 % are drained", ("policies.control.drain.below=50 %",)),
    "receivers": (
        "hosts just filled are not drained again",
        ("policies.control.drain.drain_receivers=false",),
    ),
    "idle": ("hosts whose VMs are all idle are drained too",
             ("policies.control.drain.skip_idle_hosts=false",)),
    "incoming": ("incoming copies do not count as violations",
                 ("service.incoming_counts_as_violation=false",)),
    "switching": ("booting takes 260 s, shutdown 60 s, off draws 5 W", SWITCHING),
}  # fmt: skip
"""Runs of THR that each change one thing that the published figures rest on."""

LR_VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lr_unweighted": ("LR, no weights: what the program computes", (LR,)),
    "lr_tricube": (
        "LR, tricube weights: what the paper describes",
        (DETECTOR + "{policy: local_regression, weights: tricube, safety: 1.2}",),
    ),
    "lrr": (
        "LRR, bisquare weights: what the paper describes",
        (DETECTOR + "{policy: robust_local_regression, safety: 1.2}",),
    ),
}
"""Local regression as programmed and as described."""


@dataclass(frozen=True)
class Reference:
    """One row of the restatement: energy over ``span_s``, counts and shares of the whole run.

    ``memory`` is ``ample`` or what is enforced; ``pdm`` and ``slatah`` are shares.
    """

    day: str
    policy: str
    memory: str
    span_s: float
    energy_kwh: float
    migrations: int
    pdm: float
    slatah: float


def references() -> list[Reference]:
    """Return the rows of the restatement, in the order of the file."""
    with (HERE / "data" / "restatement.csv").open(newline="") as file:
        return [
            Reference(
                row["day"], row["policy"], row["memory"], float(row["span_s"]),
                float(row["energy_kwh"]), int(row["migrations"]), float(row["pdm"]),
                float(row["slatah"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


class WholeLack(VmAccounts):
    """Also adds up what moving VMs lack because their hosts are short.

    The reference books it as degradation by migration; farmsim books it as shortage.

    ``lack_mhz_s`` is what all VMs together went without for that reason, in MHz s.
    """

    def __init__(self, vms: int) -> None:
        super().__init__(vms)
        self.lack_mhz_s = 0.0
        self._mark_s = np.zeros(vms)

    def mark_copy(self, vms: Ints, now_s: float) -> None:
        """Remember the shortfall at which a copy began or was last charged."""
        super().mark_copy(vms, now_s)
        self._mark_s[vms] = self._shortfall_s[vms]

    def charge_copy(self, vms: Ints, lost_mhz: Floats, now_s: float) -> None:
        """Charge the copy as farmsim does, and add up the shortage meanwhile."""
        wanted_mhz = lost_mhz / GUEST_LOSS
        missed_s = self._shortfall_s[vms] - self._mark_s[vms]
        self.lack_mhz_s += float((wanted_mhz * missed_s).sum())
        super().charge_copy(vms, lost_mhz, now_s)


@dataclass(frozen=True)
class Source:
    """Where the trace of a day is: a folder of days, or the one that farmsim ships."""

    traces: Path | None

    def overrides(self, day: str) -> tuple[str, ...]:
        """Return what reads the day. The shipped trace and its text files are the same.

        None are needed for the shipped day.
        """
        if self.traces is None:
            return ()
        path = json.dumps(str((self.traces / day).resolve()))
        return (f"workload.source={{type: planetlab, path: {path}}}",)

    def has(self, day: str) -> bool:
        """Whether the day can be run."""
        return day == SHIPPED_DAY if self.traces is None else (self.traces / day).is_dir()


def run(overrides: Sequence[str], span_s: float) -> dict[str, float]:
    """Run the experiment; mean power is taken over the first ``span_s`` of the day.

    ``overrides`` are as for ``--set``. Names with ``_counted`` are counted as the reference does;
    values have :data:`DIGITS` digits, so that files of figures do not differ by rounding.
    """
    started_s = time.process_time()
    case = build(farmsim.Scenario.load(SCENARIO, "baseline={type: none}", *overrides))
    accounts = WholeLack(len(case.farm.vms))
    case.farm.vm_accounts = case.farm.state.vm_accounts = accounts
    outcome = case.engine.run()
    played = PlayedCase(case, outcome)
    values, tables = measure(played), make_tables(played)
    series = tables["farm_series"]
    inside = series["time_s"].to_numpy() < span_s - 1e-6
    span_kwh = float(series["energy_kwh"].to_numpy()[inside].sum())
    requested = float(accounts.requested_mhz_s.sum())
    memory_mib = float(case.farm.vms.memory_mib.sum())
    again, short_s, active_s = _counted_as_published(tables, span_s)
    own_short_s, own_active_s = (
        _within(outcome.tables["series"], name, span_s) for name in ("short_s", "active_s")
    )
    short_s, active_s = short_s + own_short_s, active_s + own_active_s
    print(f"  {time.process_time() - started_s:6.1f} s of CPU", file=sys.stderr)
    figures = {
        "energy_kwh": values["energy_kwh"],
        "mean_power_w": span_kwh / span_s / KWH_PER_W_S,
        "migrations": values["migrations"],
        "migrations_counted": values["migrations"] + again,
        "slatah": own_short_s / own_active_s if own_active_s else 0.0,
        "slatah_counted": short_s / active_s if active_s else 0.0,
        "pdm": values["pdm_pooled"],
        "pdm_counted": values["pdm_pooled"] + accounts.lack_mhz_s / requested,
        "unserved_share": values["unserved_share"],
        "hosts_on_mean": values["hosts_on_mean"],
        "host_boots": values["host_boots"],
        "memory_held": memory_mib / (values["hosts_on_mean"] * HOST_MIB),
    }
    return {name: float(f"{value:.{DIGITS}g}") for name, value in figures.items()}


def _within(series: dict[str, Any], name: str, span_s: float) -> float:
    """Return what an integral grows by from the first control round to the end of the span.

    Before the first round the VMs of the reference ask for nothing, so that no host is active.
    """
    first, last = np.interp([STEP_S, span_s], series["time_s"], series[name])
    return float(last - first)


def _counted_as_published(tables: dict[str, Any], span_s: float) -> tuple[int, float, float]:
    """Return moves, violating time and active time that the reference counts besides.

    Where a VM has been proposed twice in a round farmsim moves it once, straight to its last
    target. The reference starts both moves, so the first target carries a copy as well.
    """
    ends = {(m["vm"], m["decided_s"]): m["end_s"] for m in tables["migrations"].to_pylist()}
    leaving_s: dict[tuple[str, float], float] = {}
    for move in tables["migrations"].to_pylist():
        key = (move["source"], move["decided_s"])
        leaving_s[key] = max(leaving_s.get(key, 0.0), move["end_s"])
    copies: dict[tuple[str, float], float] = {}
    again = 0
    for decision in tables["decisions"].to_pylist():
        if decision["outcome"] != "superseded":
            continue
        again += 1
        key = (decision["target"], decision["time_s"])
        end_s = ends.get((decision["vm"], decision["time_s"]), decision["time_s"])
        copies[key] = max(copies.get(key, 0.0), end_s)
    held: dict[str, list[tuple[float, float]]] = {}
    for violation in tables["violations"].to_pylist():
        held.setdefault(violation["host"], []).append((violation["start_s"], violation["end_s"]))
    short_s = active_s = 0.0
    for (host, start_s), end_s in copies.items():
        if start_s >= span_s:
            continue
        overlaps = (min(b, end_s) - max(a, start_s) for a, b in held.get(host, []))
        short_s += end_s - start_s - sum(max(0.0, overlap) for overlap in overlaps)
        active_s += max(0.0, end_s - leaving_s.get((host, start_s), start_s))
    return again, short_s, active_s


def compare(days: Sequence[str], policies: Sequence[str], source: Source) -> Iterator[Any]:
    """Yield farmsim's figures beside each row of the reference that was asked for.

    Rows are run one after another, in the order of the reference.
    """
    for row in references():
        if row.day not in days or row.policy not in policies:
            continue
        print(f"{row.day} {row.policy} {row.memory} memory", file=sys.stderr)
        extra = REAL_MEMORY if row.memory != "ample" else ()
        figures = run((*source.overrides(row.day), *POLICIES[row.policy], *extra), row.span_s)
        reference = {
            "mean_power_w": row.energy_kwh / row.span_s / KWH_PER_W_S,
            "energy_kwh": row.energy_kwh,
            "migrations": row.migrations,
            "slatah": row.slatah,
            "pdm": row.pdm,
        }
        yield {
            "day": row.day, "policy": row.policy, "memory": row.memory, "span_s": row.span_s,
            "farmsim": figures, "reference": reference,
        }  # fmt: skip


def vary(source: Source) -> Iterator[Any]:
    """Yield runs of the shipped day that change one thing each.

    Variants of THR, then those of local regression, over 24 hours.
    """
    for policy, variants in (("thr", VARIANTS), ("lr", LR_VARIANTS)):
        for name, (what, overrides) in variants.items():
            print(f"{SHIPPED_DAY} {policy}: {what}", file=sys.stderr)
            base = POLICIES["thr"] if policy == "thr" else ()
            figures = run((*source.overrides(SHIPPED_DAY), *base, *overrides), 86400.0)
            yield {
                "name": name, "policy": policy, "what": what, "overrides": list(overrides),
                "farmsim": figures,
            }  # fmt: skip


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; by default all days of the reference and all policies."""
    days = sorted({row.day for row in references()})
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--traces", type=Path, help="folder with one folder of text files per day")
    parser.add_argument("--days", default=",".join(days), help="days, separated by commas")
    parser.add_argument("--policies", default=",".join(POLICIES), help="separated by commas")
    parser.add_argument("--variants", action="store_true", help="also change one thing at a time")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--read", type=Path, help="take the figures from this file, run nothing")
    parser.add_argument("--markdown", type=Path, help="write the tables of this page anew")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or read the figures, print the tables and write what was asked for; return the exit code.

    Days of which there is no trace are left out, and said so.
    """
    options = parse(arguments)
    if options.read is not None:
        figures = json.loads(options.read.read_text())
    else:
        source = Source(options.traces)
        wanted = options.days.split(",")
        days = [day for day in wanted if source.has(day)]
        for day in sorted(set(wanted) - set(days)):
            print(f"{day} is not here; see --traces", file=sys.stderr)
        figures = {"scenario": SCENARIO, "farmsim": farmsim.__version__}
        figures["cells"] = list(compare(days, options.policies.split(","), source))
        figures["variants"] = list(vary(source)) if options.variants else []
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(validation_tables.as_text(figures))
    if options.markdown is not None:
        validation_tables.rewrite(options.markdown, figures)
    return 0 if validation_tables.accepted(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
