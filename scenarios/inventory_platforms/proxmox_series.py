"""Proxmox VE: the history of nodes and guests, ``pvesh get …/rrddata --timeframe week``.

``cpu`` is a share of ``maxcpu``; times are seconds since 1970. The newest rows may lack values.
"""

import re
from typing import Final

import numpy as np

from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory, Series
from ..inventory.series import CPU_USAGE, MEMORY_USED, missing, on_steps, step_of
from ..inventory_files.json_values import MIB, JsonValues, Record, finite, records, unwrapped
from ..inventory_files.sheets import InputFile

HISTORY: Final = "history"
_OF_NODES: Final = {"memtotal", "memused", "loadavg", "iowait", "rootused"}
_KNOWN: Final = {"cpu", "maxcpu", "mem", "maxmem", *_OF_NODES}
_HIDES_PEAKS_S: Final = 300.0


def is_history(content: object) -> bool:
    """Whether a JSON content is the history of one object, or of several by name."""
    if isinstance(content, dict):
        tables = [unwrapped(each) for each in content.values()]
        return bool(tables) and all(_is_table(each) for each in tables)
    return _is_table(content)


def _is_table(content: object) -> bool:
    """Whether a list has rows of history."""
    rows = records(content)
    return bool(rows) and any("time" in row and _KNOWN & set(row) for row in rows)


def series_of(inventory: Inventory, file: InputFile, content: object) -> None:
    """Add the history in one file to an inventory whose nodes and guests are known."""
    stem = re.split(r"[/\\]", file.name)[-1].rpartition(".")[0] or file.name
    tables = content if isinstance(content, dict) else {stem: content}
    statistic = "max" if "max" in re.split(r"[^a-z]+", stem.lower()) else "mean"
    for told, table in tables.items():
        rows = records(unwrapped(table))
        name = _object(inventory, str(told))
        _add_table(inventory, file.name, name or str(told), rows, statistic)
        if not isinstance(content, dict):
            inventory.findings.append(_named_by_file(file.name, stem, name))


def _named_by_file(file: str, stem: str, name: str | None) -> Finding:
    """Tell whose history a file is taken to be."""
    return Finding(
        "OBJECT_FROM_FILE_NAME",
        Severity.INFO if name else Severity.WARNING,
        file,
        f"does not say whose history it is; by its name it is that of {name or stem}",
        "" if name else "name the file as the VM or the node, or as its number, such as 100.json",
        (name or stem,),
    )


def _object(inventory: Inventory, told: str) -> str | None:
    """Return the node or guest that a text names; the longest of several names counts.

    Guests are found by key, which is the name where only one has it, by number or ``qemu/100``.
    """
    targets = {host.name: host.name for host in inventory.hosts}
    for vm in inventory.vms:
        identity = vm.source_id or vm.key
        for name in (vm.key, identity, identity.replace("/", "-"), identity.rpartition("/")[2]):
            targets.setdefault(name, vm.key)
    for name in sorted(targets, key=len, reverse=True):
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", told):
            return targets[name]
    return None


def _add_table(
    inventory: Inventory, file: str, name: str, rows: list[Record], statistic: str
) -> None:
    """Add CPU and memory of one object."""
    values = JsonValues(f"{file}, {name}")
    kept = [row for row in rows if (at := finite(row.get("time"))) is not None and 0 < at < 1e11]
    times = np.array([finite(row["time"]) for row in kept], float)
    step_s = step_of([times])
    if step_s is None:
        inventory.findings.append(
            Finding(
                "SERIES_TOO_SHORT",
                Severity.WARNING,
                f"{file}, {name}",
                "it has fewer than two different times",
                "it is not used",
                (name,),
            )
        )
        return
    kind = "host" if any(_OF_NODES & set(row) for row in kept) else "vm"
    memory = "memused" if kind == "host" else "mem"
    for metric, key, unit, worth in (
        (CPU_USAGE, "cpu", "share", 1.0),
        (MEMORY_USED, memory, "MiB", 1 / MIB),
    ):
        numbers = [values.number(row, key, f"row {at}", 1e16) for at, row in enumerate(kept, 1)]
        measured = np.array([np.nan if each is None else each * worth for each in numbers])
        if missing(measured) == len(measured):
            continue
        start, grid = on_steps(times, measured, step_s, f"{file}, {name}")
        inventory.series.append(Series(name, kind, metric, unit, start, step_s, grid, statistic))
    inventory.findings += values.findings()
    if statistic == "mean" and step_s > _HIDES_PEAKS_S:
        inventory.findings.append(
            Finding(
                "AVERAGE_HIDES_PEAKS",
                Severity.WARNING,
                f"{file}, {name}",
                f"AVERAGE over {step_s:g} s hides peaks",
                "percentiles of it are too low; give the output with --cf MAX as well, in a file "
                "with max in its name",
                (name,),
            )
        )
