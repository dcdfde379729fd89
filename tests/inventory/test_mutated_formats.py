"""Damaged files of every format but RVTools: findings or a refusal, never a traceback."""

import random
from collections import Counter

import numpy as np
import pytest
from inventories import DATA
from mutated_files import mutated_file

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.inventory import Inventory
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.scope import set_scopes
from farmsim.scenarios.inventory.series import filled
from farmsim.scenarios.inventory_files.columns import ReadOptions
from farmsim.scenarios.inventory_files.open_files import open_files
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
