"""Make the tables of servers by processor from SPECpower_ssj2008 results.

``python docs/server_catalogue.py CURVES IDLE_MAX`` reads two tables and writes four into
``models/catalogue/``. ``CURVES`` has a result a row: id, vendor, model, published, cpu, cpu_mhz,
cores, sockets, threads, mem_gb, w_idle, w_10, …, w_100, ssj_ops_10, …, ssj_ops_100,
overall_ssj_ops_per_w, check. ``IDLE_MAX`` has results of which only idle and full load are known:
vendor, published, year, cpu, cpu_mhz, sockets, cores, threads, mem_gb, mem_gb_suspect, w_idle,
w_100, overall_ssj_ops_per_w. What is written:

- ``server_results.csv``: every result with a curve, by key of its processor;
- ``server_medians.csv``: one row per processor and number of sockets, medians of its results;
- ``servers_idle_max.csv``: the same for processors of which no curve is known, from 2022 on;
- ``servers_by_generation.csv``: estimates for the processors of ``cpus.csv`` of which nothing is
  published, from the nearest of their generation.
"""

import csv
import re
import sys
from calendar import month_abbr
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from farmsim.models.hardware.cpu_names import cpu_key, cpu_name, generation_of
from farmsim.models.hardware.server import published_results, servers
from farmsim.models.hardware.server_match import Match, Wanted, same_generation

CATALOGUE = Path(__file__).resolve().parent.parent / "models" / "catalogue"
LOADS = range(10, 101, 10)
WATTS = ["w_0", *(f"w_{load}" for load in LOADS)]
OPS = [f"ops_{load}" for load in LOADS]
FIGURES = ["cores", "threads", "core_mhz", "memory_gib"]
RESULT = ["vendor", "model", "cpu", "published", "sockets", *FIGURES, *WATTS, "ops_100", "mark"]
MEDIAN = ["id", "vendor", "model", "cpu", "published", "sockets", *FIGURES]
LAST = ["overall_ops_per_w", "results", "confidence", "source"]
FIRST_YEAR = 2022
VENDORS = (
    ("hewlett packard enterprise", "HPE"), ("hewlett-packard", "HP"), ("hewlett packard", "HP"),
    ("dell", "Dell"),
    ("lenovo", "Lenovo"), ("fujitsu", "Fujitsu"), ("ibm", "IBM"), ("huawei", "Huawei"),
    ("asus", "ASUS"), ("acer", "Acer"), ("supermicro", "Supermicro"), ("cisco", "Cisco"),
    ("inspur", "Inspur"), ("quanta", "QCT"), ("nec", "NEC"), ("hitachi", "Hitachi"),
    ("sugon", "Sugon"), ("xfusion", "xFusion"), ("new h3c", "H3C"), ("intel", "Intel"),
    ("super micro", "Supermicro"),
)  # fmt: skip
Row = dict[str, Any]


def curves(path: Path) -> list[Row]:
    """Return the results with curves, sorted, in the columns of RESULT and OPS."""
    made = []
    for row in _rows(path):
        checked = row["check"] == "primary parse"
        made.append(
            {
                **_common(row, row["model"]),
                "w_0": float(row["w_idle"]),
                **{f"w_{load}": float(row[f"w_{load}"]) for load in LOADS},
                **{f"ops_{load}": _number(row[f"ssj_ops_{load}"]) for load in LOADS},
                "overall_ops_per_w": float(row["overall_ssj_ops_per_w"]),
                "mark": "V" if checked else "VA",
            }
        )
    return sorted(made, key=lambda row: (row["cpu"], row["sockets"], row["published"], row["w_0"]))


def idle_max(path: Path, known: set[tuple[str, int]]) -> list[Row]:
    """Return results of idle and full load only, of processors without any curve.

    Left out: results before FIRST_YEAR, those of several nodes together (more sockets than the
    processor can have in one server, or other cores than its other results), and names that are
    not those of a server processor.
    """
    made = []
    for row in _rows(path):
        result = {
            **_common(row, row["system"]),
            "w_0": float(row["w_idle"]),
            "w_100": float(row["w_100"]),
            "overall_ops_per_w": float(row["overall_ssj_ops_per_w"]),
        }
        if row["mem_gb_suspect"] == "True":  # written in TB
            result["memory_gib"] *= 1024
        key = (result["cpu"], result["sockets"])
        if int(row["year"]) >= FIRST_YEAR and key not in known and _one_node(result):
            made.append(result)
    per_socket: dict[str, Counter[float]] = defaultdict(Counter)
    for row in made:
        per_socket[row["cpu"]][row["cores"] / row["sockets"]] += 1
    return [
        row
        for row in made
        if row["cores"] / row["sockets"] == per_socket[row["cpu"]].most_common(1)[0][0]
    ]


def _one_node(row: Row) -> bool:
    """Return whether a processor can have these sockets in one server."""
    cpu = row["cpu"]
    if generation_of(cpu) is None:
        return False
    if re.search(r"^epyc [48]|^epyc \S+pn?$|^xeon [de]-|^xeon 63|^core|[nu]$", cpu):
        return bool(row["sockets"] == 1)
    eight = re.search(r"xeon platinum (8[12]|84\S+h$|83\S+hl?$)|xeon 6788p", cpu)
    return bool(row["sockets"] <= (8 if eight else 2))


def medians(rows: Iterable[Row], keys: list[str], mark: str) -> list[Row]:
    """Return one row of medians per processor and number of sockets, by first publication."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["cpu"], row["sockets"]].append(row)
    made = [_median(found, keys, mark) for found in groups.values()]
    return sorted(made, key=lambda row: (row["published"], row["id"]))


def estimates() -> list[Row]:
    """Return estimates for processors of ``cpus.csv``, two sockets and, of EPYC, one.

    The tables of results have to be written before, since the matching reads them.
    """
    results = published_results()
    known = {(cpu_key(each.cpu), each.sockets) for each in servers().values() if each.level != "C"}
    made = []
    for row in _rows(CATALOGUE / "cpus.csv"):
        cpu, cores = row["cpu"], int(row["cores"])
        for sockets in (1, 2):
            single = re.fullmatch(r"epyc \S+p", cpu) is not None
            wanted = sockets == 1 if single else sockets == 2 or cpu.startswith("epyc")
            host = Wanted(
                cpu, "", generation_of(cpu), sockets, cores * sockets, float(row["core_mhz"])
            )
            found = same_generation(results, host) if (cpu, sockets) not in known else None
            if wanted and found is not None:
                made.append(_estimated(found))
    return sorted(made, key=lambda row: row["id"])


def _estimated(found: Match) -> Row:
    """Return the row of an estimate from the nearest processors of a generation."""
    generation = generation_of(found.cpu)
    assert generation is not None
    name = re.sub(r"[^a-z0-9]+", "_", found.cpu.replace("+", " plus"))
    return {
        "id": f"{name}_{found.sockets}s",
        "vendor": "estimate",
        "model": f"from {found.generation}",
        "cpu": cpu_name(found.cpu),
        "published": str(generation.year),
        "sockets": found.sockets,
        "cores": found.cores,
        "threads": found.cores * (1 if generation.name == "Sierra Forest" else 2),
        "core_mhz": found.core_mhz,
        "memory_gib": found.memory_gib,
        **{name: round(watt, 1) for name, watt in zip(WATTS, found.watts, strict=True)},
        "ops_100": None if found.max_ops is None else float(round(found.max_ops)),
        "overall_ops_per_w": None,
        "results": found.results,
        "confidence": "E",
        "source": f"estimate from {found.results} SPECpower_ssj2008 "
        f"result{'s' * (found.results > 1)} (spec.org) of {', '.join(found.candidates)}",
    }


def _median(found: list[Row], keys: list[str], mark: str) -> Row:
    """Return the medians of the results of one processor and number of sockets."""
    first, count = found[0], len(found)
    dates = sorted(row["published"] for row in found)
    name = re.sub(r"[^a-z0-9]+", "_", first["cpu"].replace("+", " plus"))
    between = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return {
        "id": f"{name}_{first['sockets']}s",
        "vendor": first["vendor"] if count == 1 else "various",
        "model": first["model"] if count == 1 else f"median of {count} results",
        "cpu": cpu_name(first["cpu"]),
        "published": dates[-1],
        "sockets": first["sockets"],
        **{key: _written(median([row[key] for row in found])) for key in FIGURES},
        **{
            key: _written(median([row[key] for row in found]))
            for key in keys
            if all(row[key] is not None for row in found)
        },
        "overall_ops_per_w": _written(median([row["overall_ops_per_w"] for row in found])),
        "results": count,
        "confidence": mark or ("V" if all(row["mark"] == "V" for row in found) else "VA"),
        "source": f"{count} SPECpower_ssj2008 result{'s' * (count > 1)} published {between} "
        "(spec.org)",
    }


def _common(row: dict[str, str], model: str) -> Row:
    """Return what both tables say of a server."""
    vendor = next((name for start, name in VENDORS if start in row["vendor"].lower()), "")
    return {
        "vendor": vendor or row["vendor"].split(",")[0].strip(),
        "model": _model(model, vendor),
        "cpu": cpu_key(row["cpu"]),
        "published": _month(row["published"] or row["year"] or row.get("hw_available", "")),
        "sockets": int(row["sockets"]),
        "cores": int(row["cores"]),
        "threads": int(row["threads"]),
        "core_mhz": float(row["cpu_mhz"]),
        "memory_gib": float(row["mem_gb"]),
    }


def _model(text: str, vendor: str) -> str:
    """Return a server's model without vendor and configuration."""
    text = re.sub(r"\([^)]*\)?|FUJITSU Server ", " ", text)
    words = text.replace(",", " ").split()
    while len(words) > 1 and words[0].lower().strip("-") in (vendor.lower(), "ibm", "hp", "hpe"):
        words = words[1:]
    return " ".join(words)


def _month(text: str) -> str:
    """Return ``Jan-2009``, ``2009-01-17`` or ``2009-01`` as ``2009-01``."""
    if text[:3] in month_abbr:
        return f"{text[-4:]}-{list(month_abbr).index(text[:3]):02d}"
    return text[:7]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _written(value: float) -> str:
    return f"{value:.10g}"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open("r", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _write(name: str, columns: list[str], rows: list[Row]) -> None:
    with (CATALOGUE / name).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(
            handle, columns, restval="", extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(
            {key: _written(each) if isinstance(each, float) else each for key, each in row.items()}
            for row in rows
        )


def main() -> None:
    """Write the tables."""
    measured = curves(Path(sys.argv[1]))
    ends = idle_max(Path(sys.argv[2]), {(row["cpu"], row["sockets"]) for row in measured})
    _write("server_results.csv", RESULT, measured)
    _write(
        "server_medians.csv",
        [*MEDIAN, *WATTS, *OPS, *LAST],
        medians(measured, [*WATTS, *OPS], ""),
    )
    _write("servers_idle_max.csv", [*MEDIAN, "w_0", "w_100", *LAST],
           medians(ends, ["w_0", "w_100"], "D"))  # fmt: skip
    _write("servers_by_generation.csv", [*MEDIAN, *WATTS, "ops_100", *LAST], estimates())


if __name__ == "__main__":
    main()
