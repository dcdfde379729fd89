"""Damaged inventories end in an inventory or in an InputError, whatever the damage."""

import random
from functools import cache

import pytest
from inventories import DATA
from mutations import Sheets, damaged, damaged_bytes, with_damaged_part

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.cluster_names import tell_clusters_apart
from farmsim.scenarios.inventory.cluster_totals import cluster_totals
from farmsim.scenarios.inventory.cpu_estimates import cpu_estimates
from farmsim.scenarios.inventory.inventory import Inventory
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.scope import set_scopes
from farmsim.scenarios.inventory_files.columns import ReadOptions
from farmsim.scenarios.inventory_files.open_files import open_files, opened_file
from farmsim.scenarios.inventory_files.sheets import InputFile, Sheet
from farmsim.scenarios.inventory_formats.formats import recognised

BOOKS = (
    "rvtools_v4_ui.xlsx", "rvtools_dbcolumns.xlsx", "rvtools_old_mb_locale.xlsx",
    "rvtools_format_v4_small.xlsx", "liveoptics.xlsx", "nutanix_collector.xlsx",
)  # fmt: skip
FILES = (
    *BOOKS, "azure_migrate.csv", "vrops_vm_hourly.csv", "vrops_dst.csv", "virsh_domstats_t0.txt",
    "proxmox_cluster_resources.json", "openstack_placement.json", "prometheus_query_range.json",
)  # fmt: skip


@cache
def sheets_of(name: str) -> Sheets:
    (file,) = open_files([DATA / name])
    return {sheet.name: [list(row) for row in sheet.rows] for sheet in file.sheets}


@cache
def bytes_of(name: str) -> bytes:
    return (DATA / name).read_bytes()


def finished(file: InputFile) -> Inventory | None:
    """Read a file as an import does; None if it is refused."""
    try:
        found = recognised([file])
        inventories = [each.read(group, ReadOptions()) for each, group in found]
    except InputError as error:
        refused = error.problems
    else:
        refused = []
    if refused:
        assert all(each.message and each.where for each in refused)
        return None
    for inventory in inventories:
        tell_clusters_apart(inventory)
        set_scopes(inventory)
        inventory.findings += join_findings(inventory)
        keys = [vm.key for vm in inventory.vms]
        assert len(set(keys)) == len(keys)
        for each in cluster_totals(inventory):
            shares = (each.memory_utilisation, each.memory_n1, each.cpu_utilisation)
            assert all(share is None or 0 <= share < 1e9 for share in shares)
            assert not each.reason or shares == (None, None, None)
        cpu_estimates(inventory)
    return inventories[0]


def play_sheets(count: int, seed: int) -> int:
    """Damage sheets so often; return how many were read all the same."""
    draw, read = random.Random(seed), 0
    for _ in range(count):
        sheets = damaged(sheets_of(draw.choice(BOOKS)), draw)
        made = tuple(Sheet.of("book.xlsx", name, rows) for name, rows in sheets.items())
        read += finished(InputFile("book.xlsx", "book.xlsx", "0", "workbook", made)) is not None
    return read


def play_bytes(count: int, seed: int) -> int:
    """Damage files so often; return how many were read all the same."""
    draw, read = random.Random(seed), 0
    for at in range(count):
        name = draw.choice(FILES)
        content = bytes_of(name)
        inner = at % 3 and name.endswith("xlsx")
        content = with_damaged_part(content, draw) if inner else damaged_bytes(content, draw)
        try:
            file = opened_file(content, name, name)
        except InputError:
            continue
        read += finished(file) is not None
    return read


def test_damaged_sheets() -> None:
    assert play_sheets(300, 1) > 100


def test_damaged_files() -> None:
    assert play_bytes(200, 2) > 10


@pytest.mark.thorough
def test_many_damaged_sheets() -> None:
    assert play_sheets(8_000, 3) > 3_000


@pytest.mark.thorough
def test_many_damaged_files() -> None:
    assert play_bytes(2_000, 4) > 100
