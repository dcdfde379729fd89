"""Damaged files of every format but RVTools: findings or a refusal, never a traceback."""

import copy
import json
import random
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from inventories import DATA

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.inventory import Inventory
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.scope import set_scopes
from farmsim.scenarios.inventory.series import filled
from farmsim.scenarios.inventory_files.columns import ReadOptions
from farmsim.scenarios.inventory_files.open_files import open_files, opened_file
from farmsim.scenarios.inventory_files.sheets import Cell, InputFile, Sheet
from farmsim.scenarios.inventory_formats.formats import recognised

GROUPS = (
    ("vrops_vm_hourly.csv",),
    ("vrops_host_hourly.csv",),
    ("vrops_dst.csv",),
    ("azure_migrate.csv",),
    ("liveoptics.xlsx",),
    ("nutanix_collector.xlsx",),
    ("openstack_placement.json",),
    ("prometheus_query_range.json",),
    ("proxmox_cluster_resources.json", "proxmox_node_status.json"),
    ("proxmox_rrddata_week_average.json",),
    ("virsh_domstats_t0.txt", "virsh_domstats_t1.txt", "virsh_nodeinfo.txt"),
)

ODD_TEXTS = (
    "", "-", "N/A", "NaN", "1e999", "-1", "0", "999999999999999999999", "1.5", "true", "x" * 500,
    "12:00 AM 29 March 2026", "2:30 AM 29 March 2026", "1,234", "1.234,5", "34 GHz", "7 parsec",
    "\u202e", "=1+1", "2026-13-45", "9999-12-31 23:59", "0001-01-01", "\ud83d\ude00", "'", '"', "|",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, -1e-300, 10**400, float("nan"), float("inf"), "", "x",
    "NaN", "4", "-0", [], {}, [[]], [None], {"a": 1}, [1, "2"], "2026-01-01", 1 << 63,
)  # fmt: skip


def mutated_text(text: str, draw: random.Random) -> str:
    """Return a text with one to four lines or cells changed."""
    for _ in range(draw.randint(1, 4)):
        lines = text.split("\n")
        at = draw.randrange(len(lines))
        kind = draw.randrange(7)
        if kind == 0:
            del lines[at : at + draw.choice((1, 1, 5, 50))]
        elif kind == 1:
            lines.insert(at, lines[draw.randrange(len(lines))])
        elif kind == 2:
            lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
        elif kind == 3:
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            cells = re.split(r"([,;=:|\t])", lines[at])
            cell = draw.randrange(len(cells))
            cells[cell] = draw.choice((*ODD_TEXTS, cells[draw.randrange(len(cells))]))
            lines[at] = "".join(cells)
        text = "\n".join(lines)
        if not text:
            break
    return text


def mutated_json(content: Any, draw: random.Random) -> Any:
    """Return a JSON content with one to four values or keys changed."""
    content = copy.deepcopy(content)
    for _ in range(draw.randint(1, 4)):
        places = list(_places(content))
        if not places:
            return draw.choice(ODD_VALUES)
        parent, key = draw.choice(places)
        kind = draw.randrange(6)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[draw.choice(("", "type", "cpu", "x", "values", "uuid"))] = parent.pop(key)
        elif kind == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif kind == 3:
            other, other_key = draw.choice(places)
            parent[key] = copy.deepcopy(other[other_key])
        else:
            parent[key] = draw.choice(ODD_VALUES)
    return content


def _places(content: Any) -> Any:
    """Yield each container of a JSON content with each of its keys."""
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def mutated_book(file: InputFile, draw: random.Random) -> InputFile:
    """Return a workbook with sheets, rows or cells changed."""
    sheets = {sheet.name: [list(row) for row in sheet.rows] for sheet in file.sheets}
    for _ in range(draw.randint(1, 6)):
        name = draw.choice(list(sheets))
        rows: list[list[Cell]] = sheets[name]
        kind = draw.randrange(8)
        if kind == 0 and len(sheets) > 1:
            del sheets[name]
        elif not rows:
            continue
        elif kind == 1:
            del rows[draw.randrange(len(rows))]
        elif kind == 2:
            rows.insert(draw.randrange(len(rows)), list(draw.choice(rows)))
        elif kind == 3:
            place = draw.randrange(max(map(len, rows)) or 1)
            for row in rows:
                del row[place : place + 1]
        elif kind == 4:
            place, value = draw.randrange(len(rows[0]) or 1), draw.choice(ODD_TEXTS)
            for row in rows[1:]:
                row[place : place + 1] = [value]
        else:
            row = draw.choice(rows)
            if row:
                odd = (
                    *ODD_TEXTS,
                    None,
                    True,
                    -1.0,
                    1e308,
                    1.5,
                    draw.choice(draw.choice(rows) or row),
                )
                row[draw.randrange(len(row))] = draw.choice(odd)
    made = tuple(Sheet.of(file.name, name, rows) for name, rows in sheets.items())
    return InputFile(file.name, file.shown, file.sha256, "workbook", made)


def mutated_file(file: InputFile, draw: random.Random) -> InputFile:
    """Return a file with something wrong in it; its kind may be another one then."""
    if file.kind == "workbook":
        return mutated_book(file, draw)
    if file.kind == "json" and draw.random() < 0.8:
        text = json.dumps(mutated_json(file.json(), draw))
    else:
        text = mutated_text(file.text, draw)
    return opened_file(text.encode("utf-8", "surrogatepass"), file.name, file.shown)


def check(inventory: Inventory) -> None:
    """Check what holds for every inventory, however damaged its files were."""
    set_scopes(inventory)
    inventory.findings += join_findings(inventory)
    keys = [vm.key for vm in inventory.vms]
    assert len(set(keys)) == len(keys)
    for vm in inventory.vms:
        assert vm.name
        assert vm.vcpus is None or vm.vcpus > 0
        assert vm.memory_mib is None or 0 < vm.memory_mib < 1e16
        assert vm.cpu_share is None or vm.cpu_share >= 0
    for host in inventory.hosts:
        assert host.name
        assert host.cores is None or host.cores > 0
        assert all(np.isfinite(value) for value in host.stated.values())
    for series in inventory.series:
        assert series.step_s > 0
        assert series.start.tzinfo is not None
        assert not np.isinf(series.values).any()
        filled(series.values, hold_longer=True)
    for finding in inventory.findings:
        assert finding.code.isupper()
        assert finding.message
        assert "None" not in finding.message


def damage(names: tuple[str, ...], count: int, seed: int) -> Counter[str]:
    """Read damaged copies of some files; return how many were read, and how many refused."""
    whole = open_files([DATA / name for name in names])
    for file in whole:
        _ = [sheet.rows for sheet in file.sheets]
    options = ReadOptions(time_zone="Europe/Vienna", interval_s=300)
    ends: Counter[str] = Counter()
    for number in range(count):
        draw = random.Random(f"{names[0]} {seed + number}")
        try:
            files = [mutated_file(file, draw) if draw.random() < 0.7 else file for file in whole]
            for each, group in recognised(files):
                check(each.read(group, options))
            ends["read"] += 1
        except InputError as error:
            ends["refused" if str(error) else "refused without a word"] += 1
        except Exception as error:
            pytest.fail(f"{names[0]}, draw {seed + number}: {error!r}")
    assert not ends["refused without a word"]
    return ends


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_damaged_files_are_read_or_refused(names: tuple[str, ...]) -> None:
    ends = damage(names, 40, 0)
    assert ends["read"]


@pytest.mark.thorough
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_many_damaged_files_are_read_or_refused(names: tuple[str, ...]) -> None:
    ends = damage(names, 1_000, 1_000)
    assert ends["read"]
    assert ends["refused"]
