"""Measure the load factor on the shipped traces, and what its band covers of VMs held out.

    python benchmarks/load_band.py

Prints the tables of docs/load.md: quantiles of the P95 of the summed load over the sum at a random
instant, over the mean, what several snapshots show of the P95, and the coverage of the band. The
Bitbrains trace is in MHz, that of Azure in shares of VMs taken as equally large.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from farmsim.models.base.arrays import Floats
from farmsim.models.base.catalogue import data_file, traces
from farmsim.models.sizing.held_out import Overload, placed_by_own_percentile
from farmsim.models.workload.load_band import PERCENTILE
from farmsim.models.workload.peaks import coincidence, percentiles

FARMS = {"azure": "azure-v1-week", "bitbrains": "bitbrains-4-weeks"}
GROUPS, INSTANTS = 400, 50
QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
BAND = (0.1, 0.5, 0.9)
SNAPSHOTS = (6, 12, 24, 48)


def load_of(name: str) -> Floats:
    """Return the load of a shipped trace (slots, VMs), weighted by the CPU of its VMs if known."""
    trace = traces()[FARMS[name]]
    table = parquet.ParquetFile(pa.BufferReader(data_file(trace.file).read_bytes())).read()
    kind = f"<u{trace.bytes_per_sample}"
    counts = np.frombuffer(b"".join(table["cpu"].to_pylist()), kind).reshape(trace.vms, -1).T
    load = counts * trace.share_per_count
    return load * np.array(table["cpu_mhz"]) if "cpu_mhz" in table.column_names else load


def sums_of_groups(
    load: Floats, vms: int, groups: int, generator: np.random.Generator
) -> list[Floats]:
    """Return the summed load over time (slots,) of groups of VMs drawn at random."""
    count = load.shape[1]
    return [load[:, generator.choice(count, vms, replace=False)].sum(axis=1) for _ in range(groups)]


def p95(sums: Floats) -> float:
    """Return the 95th percentile by nearest rank."""
    return float(percentiles(sums[:, None], PERCENTILE)[0])


def factors(sums: Sequence[Floats], generator: np.random.Generator) -> Floats:
    """Return the P95 of each group over its sum at random instants, (groups x INSTANTS,)."""
    found = [p95(each) / each[generator.integers(len(each), size=INSTANTS)] for each in sums]
    return np.concatenate(found)


def of_snapshots(sums: Sequence[Floats], k: int, generator: np.random.Generator) -> Floats:
    """Return the P95 of k sums at random instants as a share of the true P95."""
    found = [
        percentiles(each[generator.integers(len(each), size=(k, INSTANTS))], PERCENTILE) / p95(each)
        for each in sums
    ]
    return np.concatenate(found)


def coverage(seed: int, vms: int = 30, groups: int = 200) -> dict[str, float]:
    """Return the share of held-out factors within the pooled 80 % band, by what was held out.

    The VMs of each farm are halved at random. The band is P10 to P90 of the factors of groups of
    one half of each farm, both farms in equal parts; it is tried on groups of the other halves.
    """
    generator = np.random.default_rng(seed)
    known, held = [], {}
    for name in FARMS:
        load = load_of(name)
        order = generator.permutation(load.shape[1])
        first, second = np.array_split(order, 2)
        known.append(factors(sums_of_groups(load[:, first], vms, groups, generator), generator))
        held[name] = factors(sums_of_groups(load[:, second], vms, groups, generator), generator)
    low, high = np.quantile(np.concatenate(known), [0.1, 0.9])
    held["both"] = np.concatenate(list(held.values()))
    return {name: float(((each >= low) & (each <= high)).mean()) for name, each in held.items()}


def row(name: str, values: Floats | Sequence[float]) -> str:
    """Return a line of a table."""
    return f"{name:28}" + "".join(f"{value:7.2f}" for value in values)


def main() -> None:
    """Print the tables."""
    generator = np.random.default_rng(1)
    print("load factor: P95 over the sum at a random instant")
    print(row("quantile", QUANTILES))
    kept: dict[str, list[Floats]] = {}
    for name, sizes in (("azure", (30, 60)), ("bitbrains", (30, 60))):
        load = load_of(name)
        for vms in sizes:
            kept[f"{name}, {vms} VMs"] = sums_of_groups(load, vms, GROUPS, generator)
    found = {name: factors(sums, generator) for name, sums in kept.items()}
    for name, each in found.items():
        print(row(name, np.quantile(each, QUANTILES)))
    for vms in (30, 60):
        both = np.concatenate([found[f"{name}, {vms} VMs"] for name in FARMS])
        print(row(f"both, {vms} VMs", np.quantile(both, QUANTILES)))
    print("\nP95 over the mean" + " " * 17 + "    P10    P50    P90")
    for name, sums in kept.items():
        ratios = [p95(each) / float(each.mean()) for each in sums]
        print(row(name, np.quantile(ratios, BAND)))
    print("\nP95 of k sums over the true P95       P10    P50    P90")
    for name, sums in kept.items():
        for k in SNAPSHOTS:
            print(row(f"{name}, k = {k}", np.quantile(of_snapshots(sums, k, generator), BAND)))
    print("\ncoincidence of 100 VMs" + " " * 12 + "    P95    max")
    for name in FARMS:
        load = load_of(name)
        print(row(name, [coincidence(load, PERCENTILE).share, coincidence(load).share]))
    print("\ncoverage of the pooled 80 % band, 20 halvings: least, mean, most")
    covered = [coverage(seed) for seed in range(20)]
    for name in (*FARMS, "both"):
        each = [found[name] for found in covered]
        print(row(name, [min(each), sum(each) / len(each), max(each)]))
    print("\nhosts of 83.2 GHz (32 cores of 2.6 GHz), VMs placed by their own P95 of two weeks,")
    print("in the two weeks after these")
    load = load_of("bitbrains")
    print(by_own_percentile(load, 83_200.0))


def by_own_percentile(load: Floats, capacity: float) -> Overload:
    """Return the overload in the second half of a load, of hosts filled by P95s of the first."""
    half = len(load) // 2
    return placed_by_own_percentile(load[:half], load[half:], capacity)


if __name__ == "__main__":
    main()
