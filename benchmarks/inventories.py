"""Import three public workbooks, size their farms, and hold the figures against plain sums.

``python benchmarks/inventories.py`` runs ``farmsim import``, ``size``, ``headroom`` and
``failover`` on each workbook, recomputes what a planner checks first with
``check_inventories.py`` (no farmsim in it), and fails if any figure differs. ``--markdown PAGE``
writes the tables of docs/inventories.md anew, ``--workbooks FOLDER`` takes other copies of the
files. CPU times are printed, not written.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import check_inventories
import page_tables
from page_tables import Row

SERVER = (
    "{cores: 64, sockets: 2, clock: 2.8 GHz, memory: 1 TiB, "
    "power: {model: linear, idle: 200 W, max: 800 W}}"
)
"""Two sockets of 32 cores, as in ``check_inventories.TARGET``."""
LONGEST_S = 60.0
Figures = dict[str, Any]


def run(*arguments: str) -> None:
    """Run farmsim; a code other than 0 or 1 ends this program."""
    done = subprocess.run(
        [sys.executable, "-m", "farmsim", *arguments, "--quiet"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise SystemExit(f"farmsim {' '.join(arguments)}: {done.stderr}")


def answers(workbook: Path, folder: Path) -> Figures:
    """Return what farmsim says of one workbook: import, size, headroom, failover."""
    made = folder / workbook.stem
    scenario = str(made / "scenario.yaml")
    run("import", str(workbook), "-o", str(made))
    run("size", scenario, "--server", SERVER, "--out", str(folder / "size"))
    run("failover", scenario, "--out", str(folder / "failover"))
    left = subprocess.run(
        [sys.executable, "-m", "farmsim", "headroom", scenario, "--vm", "4c16g", "--json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {
        "import": json.loads((made / "import.json").read_text("utf-8")),
        "size": json.loads((folder / "size" / "size.json").read_text("utf-8")),
        "failover": json.loads((folder / "failover" / "failover.json").read_text("utf-8")),
        "headroom": json.loads(left.stdout),
    }


def compared(found: Figures, checked: Figures) -> list[tuple[str, Any, Any]]:
    """Return what both say, figure by figure: name, farmsim's value, the value by plain sums."""
    counts, size = found["import"]["counts"], found["size"]
    rows = [
        ("VMs in the plan", counts["in_plan"], checked["in_plan"]),
        ("vCPUs", counts["vcpus_in_plan"], checked["vcpus"]),
        ("Memory configured, MiB", counts["memory_mib_in_plan"], checked["memory_mib"]),
    ]
    by_name = {each["name"] or "": each for each in found["import"]["clusters"]}
    for each in checked["clusters"]:
        if each["cluster"] not in by_name:
            rows.append((f"{each['cluster'] or '(no cluster)'}: VMs", None, each["vms"]))
            continue
        own, name = by_name[each["cluster"]], each["cluster"] or "(no cluster)"
        rows += [
            (f"{name}: VMs", own["vms_in_plan"], each["vms"]),
            (f"{name}: VMs without a host row", own["vms_without_host_row"],
             each["vms_without_host_row"]),
            (f"{name}: memory of hosts taken", own["memory_utilisation"], each["memory_share"]),
            (f"{name}: the same without the largest host", own["memory_n1"],
             each["memory_share_less_one"]),
        ]  # fmt: skip
    planned = checked["size"]
    rows += [
        ("Hosts by memory, one may fail", size["floors"]["memory"], planned["hosts_by_memory"]),
        ("Hosts by vCPUs per core", size["floors"]["vcpus"],
         max(planned["hosts_by_vcpus"], planned["hosts_by_vcpus_less_one"])),
        ("CPU break-even, times the snapshot", size["break_even"].get("cpu"),
         planned["cpu_break_even"] if size["hosts"] == planned["hosts_by_memory"] else None),
    ]  # fmt: skip
    for factor, hosts in planned["hosts_by_cpu"].items():
        key = f"{float(factor):g}"
        if key in size["cpu"]["hosts_by_factor"]:
            own_hosts = size["cpu"]["hosts_by_factor"][key]
            rows.append((f"Hosts by CPU at {key} times the snapshot", own_hosts, hosts))
    return [row for row in rows if row[2] is not None or row[1] is None]


def agrees(own: Any, plain: Any) -> bool:
    """Whether two values are the same to rounding; what is unknown must be unknown in both."""
    if own is None or plain is None:
        return own is None and plain is None
    return abs(float(own) - float(plain)) <= 1e-4 * max(1.0, abs(float(plain)))


def shown(value: Any) -> str:
    """Return a value as text."""
    if value is None:
        return "no figure"
    return f"{value:,.4g}" if isinstance(value, float) and value != int(value) else f"{value:,.0f}"


def table(found: Figures, checked: Figures) -> list[Row]:
    """Return the comparison as rows of a table, the header first."""
    rows: list[Row] = [("figure", "farmsim", "plain sums")]
    rows += [(name, shown(own), shown(plain)) for name, own, plain in compared(found, checked)]
    return rows


def answer_text(found: Figures) -> str:
    """Return the answers as Markdown: verdicts of size, headroom and failover."""
    size, left, failed = found["size"], found["headroom"], found["failover"]
    lines = [f"**Size**: {size['verdict']}", ""]
    lines += ["**Headroom** for VMs of 4 vCPUs and 16 GiB, on the present hosts:", ""]
    lines += [f"- {each['name']}: {each['verdict']}" for each in left["clusters"]]
    lines += ["", "**Failures** on the present hosts:", ""]
    lines += [f"- {each['name']}: {each['verdict']}" for each in failed["clusters"]]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare and print; 1 if a figure differs or a workbook takes longer than LONGEST_S."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--workbooks", type=Path, default=check_inventories.WORKBOOKS, metavar="FOLDER"
    )
    parser.add_argument("--markdown", type=Path, metavar="PAGE")
    chosen = parser.parse_args(arguments)
    blocks, wrong = {}, 0
    for name in check_inventories.FILES:
        workbook = chosen.workbooks / name
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            found = answers(workbook, Path(folder))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        checked = check_inventories.figures(workbook)
        differing = [row for row in compared(found, checked) if not agrees(row[1], row[2])]
        wrong += len(differing) + (taken_s > LONGEST_S)
        print(f"{name}: {taken_s:.1f} s of CPU, {len(differing)} figures differ")
        for figure, own, plain in differing:
            print(f"  {figure}: {own} by farmsim, {plain} by plain sums")
        rows = table(found, checked)
        print(page_tables.aligned(rows), answer_text(found), sep="\n\n", end="\n\n")
        key = name.removeprefix("rvtools_").removesuffix(".xlsx")
        blocks[f"sums of {key}"] = page_tables.markdown(rows)
        blocks[f"answers for {key}"] = answer_text(found)
    if chosen.markdown:
        page_tables.renew(chosen.markdown, blocks)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
