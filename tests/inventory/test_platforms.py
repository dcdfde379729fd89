"""Proxmox, OpenStack Placement, libvirt and Prometheus."""

import json
from typing import Any

import numpy as np
import pytest
from inventories import DATA, codes, expected, file_of, inventory_of, read_one

from farmsim.scenarios.inventory.inventory import Inventory, Series
from farmsim.scenarios.inventory_formats.formats import recognised

NAN = float("nan")
RESOURCES, STATUS = "proxmox_cluster_resources.json", "proxmox_node_status.json"
HISTORY = "proxmox_rrddata_week_average.json"
T0, T1, NODE = "virsh_domstats_t0.txt", "virsh_domstats_t1.txt", "virsh_nodeinfo.txt"


def data(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def series(inventory: Inventory, name: str, metric: str = "cpu_usage") -> Series:
    (found,) = [s for s in inventory.series if (s.object, s.metric) == (name, metric)]
    return found


def test_proxmox_guests_have_shares_of_their_own_vcpus() -> None:
    right, found = expected(RESOURCES), read_one(RESOURCES, STATUS)
    vms = {vm.name: vm for vm in found.vms}
    running = [v for v in found.vms if v.power_state == "running" and not v.container]
    assert {vm.name for vm in running} == set(right["vms_in_plan"])
    for name, fields in right["vms_in_plan"].items():
        for field, value in fields.items():
            assert getattr(vms[name], field) == value, (name, field)
    assert sum(vm.template for vm in found.vms) == right["excluded"]["template"]
    stopped = [v.name for v in found.vms if v.power_state == "stopped" and not v.template]
    assert len(stopped) == right["excluded"]["stopped"]
    assert vms["off-01"].cpu_share is None
    assert sum(vm.container for vm in found.vms) == right["containers"]
    assert {"CONTAINERS", "FORMAT_EXPERIMENTAL"} <= codes(found)
    assert all(source.experimental for source in found.sources)


def test_proxmox_nodes_have_cores_of_their_status_and_the_clock_of_the_name() -> None:
    found = read_one(RESOURCES, STATUS)
    hosts = {host.name: host for host in found.hosts}
    assert sum(host.in_service for host in found.hosts) == expected(RESOURCES)["hosts_online"]
    first = hosts["esx-a1"]
    assert (first.threads, first.cores, first.sockets, first.clock_mhz) == (64, 32, 2, 2300)
    assert first.memory_mib == 261_797
    assert first.cpu_used_mhz == pytest.approx(0.2 * 32 * 2300)
    offline = hosts["esx-a3"]
    assert (offline.in_service, offline.cores, offline.cpu_used_mhz) == (False, None, None)
    (threads,) = [each for each in found.findings if each.code == "THREADS"]
    assert threads.objects == ("esx-a3",)


def test_proxmox_without_status_has_no_cores() -> None:
    found = read_one(RESOURCES)
    assert {host.cores for host in found.hosts} == {None}
    assert {host.cpu_used_mhz for host in found.hosts} == {None}
    (threads,) = [each for each in found.findings if each.code == "THREADS"]
    assert len(threads.objects) == 4


def test_proxmox_history_is_a_mean_that_hides_peaks() -> None:
    right, found = expected(HISTORY), read_one(HISTORY)
    (cpu,) = [each for each in found.series if each.metric == "cpu_usage"]
    assert (cpu.step_s, len(cpu.values), cpu.unit) == (right["step_s"], right["rows"], "share")
    assert int(np.isnan(cpu.values).sum()) == int(np.isnan(cpu.values[-1])) == right["missing_last"]
    assert np.nanmean(cpu.values) == pytest.approx(right["mean_share"])
    assert np.nanmax(cpu.values) == right["max_share"]
    assert {"AVERAGE_HIDES_PEAKS", "OBJECT_FROM_FILE_NAME"} <= codes(found)


def test_proxmox_history_finds_its_guest_by_the_name_of_the_file() -> None:
    table = data(HISTORY)
    files = [
        file_of(data(RESOURCES), "r.json"),
        file_of(table, "rrd-102-max.json"),
        file_of({"data": table}, "esx-a1.json"),
        file_of({"app-01": table, "qemu/101": table}, "all.json"),
    ]
    found = inventory_of(files)
    names = [(s.object, s.statistic) for s in found.series if s.metric == "cpu_usage"]
    assert names == [
        ("db-01", "max"), ("esx-a1", "mean"), ("app-01", "mean"), ("app-02", "mean"),
    ]  # fmt: skip


def test_two_lists_of_proxmox_resources_are_two_instants_with_the_same_cores() -> None:
    files = [file_of(data(RESOURCES), "a.json"), file_of(data(STATUS), "s.json")]
    files.append(file_of(data(RESOURCES), "b.json"))
    groups = recognised(files)
    found = [each.read(group, _options()) for each, group in groups]
    assert [[host.cores for host in each.hosts] for each in found] == [[32, 32, None, 28]] * 2


def _options() -> Any:
    from farmsim.scenarios.inventory_files.columns import ReadOptions  # noqa: PLC0415

    return ReadOptions()


def test_openstack_capacity_is_what_is_left_of_the_reserve_times_the_ratio() -> None:
    right, found = expected("openstack_placement.json"), read_one("openstack_placement.json")
    for host in found.hosts:
        stated = {key: host.stated[key] for key in right[host.name]}
        assert stated == right[host.name]
        assert (host.cores, host.clock_mhz) == (None, None)
    assert [host.threads for host in found.hosts] == [64, 64]
    assert found.hosts[0].memory_mib == 262_144
    (over,) = [each for each in found.findings if each.code == "MEMORY_OVERCOMMIT"]
    assert over.objects == ("cmp2",)
    assert "1.5" in over.message
    assert "THREADS" in codes(found)


def test_openstack_lists_are_read_as_maps_and_trees_are_added_up() -> None:
    class_list = [
        {"resource_class": "VCPU", "total": 64, "reserved": 2, "allocation_ratio": "4.0"},
        {"resource_class": "MEMORY_MB", "total": 1000, "reserved": 0, "allocation_ratio": 1.0},
    ]
    alone = inventory_of([file_of(class_list, "cmp7.json")])
    assert [(host.name, host.stated["vcpu_capacity"]) for host in alone.hosts] == [("cmp7", 248)]
    assert "vcpu_free" not in alone.hosts[0].stated
    cell = {"PCPU": {"total": 16, "reserved": 0, "allocation_ratio": 1}}
    tree = {
        "resource_providers": [
            {"uuid": "c0", "name": "cmp1_NUMA0", "parent_provider_uuid": "r", "inventories": cell},
            {"uuid": "r", "name": "cmp1", "inventories": {"MEMORY_MB": class_list[1]}},
            {
                "uuid": "c1", "name": "cmp1_NUMA1", "parent_provider_uuid": "c0",
                "inventories": cell, "usages": [{"resource_class": "PCPU", "usage": 3}],
            },
            {"uuid": "s", "name": "nfs", "inventories": {"DISK_GB": dict(class_list[1])}},
        ]
    }  # fmt: skip
    found = inventory_of([file_of(tree, "t.json")])
    (host,) = found.hosts
    assert (host.name, host.threads, host.memory_mib) == ("cmp1", 32, 1000)
    assert (host.stated["pcpu_capacity"], host.stated["pcpu_free"]) == (32, 29)
    assert "PROVIDER_WITHOUT_CPU" in codes(found)


def test_libvirt_use_is_the_increase_over_the_interval() -> None:
    right, found = expected("virsh_domstats"), read_one(T1, NODE, T0, interval_s=300)
    vms = {vm.name: vm for vm in found.vms}
    app, web = vms["app-01"], vms["web-01"]
    assert app.cpu_share == right["app-01"]["share_of_own"]
    assert right["app-01"]["share_of_own"] * (app.vcpus or 0) == right["app-01"]["cpu_cores_used"]
    assert app.cpu_ready_share == pytest.approx(right["app-01"]["steal_share"])
    assert web.cpu_share == pytest.approx(right["web-01"]["share_of_own"])
    assert web.cpu_ready_share == 0
    assert (app.memory_mib, app.memory_consumed_mib) == (16_384, 8_192)
    assert (vms["off-01"].power_state, vms["off-01"].cpu_share) == ("shut off", None)
    (host,) = found.hosts
    assert {key: getattr(host, key) for key in ("cores", "threads", "memory_mib")} == {
        key: right["host"][key] for key in ("cores", "threads", "memory_mib")
    }
    assert host.sockets == 2
    assert {vm.host for vm in found.vms} == {host.name}
    assert not found.series


def test_libvirt_without_an_interval_knows_no_use() -> None:
    found = read_one(T0, T1)
    assert {vm.cpu_share for vm in found.vms} == {None}
    assert "INTERVAL_UNKNOWN" in codes(found)
    assert "second output" in str(read_one(T0).findings)


def test_libvirt_files_that_start_with_their_time_give_series() -> None:
    first, last = ((DATA / name).read_text(encoding="utf-8") for name in (T0, T1))
    reset = last.replace("cpu.time=100450000000000", "cpu.time=30000000000")
    files = [
        file_of("2026-09-07T12:05:00+02:00\n" + last, "kvm1-b.txt"),
        file_of("1788775200\n" + first, "kvm1-a.txt"),
        file_of("2026-09-07T10:15:00+00:00\n" + reset, "kvm1-c.txt"),
    ]
    found = inventory_of(files)
    cpu = series(found, "app-01")
    assert (cpu.step_s, cpu.unit, cpu.start.isoformat()) == (
        300, "cores", "2026-09-07T10:00:00+00:00",
    )  # fmt: skip
    # 450 s in the first 300 s, then the counter was reset and stands at 30 s after 600 s.
    np.testing.assert_allclose(cpu.values, [1.5, NAN, 0.05])
    np.testing.assert_allclose(series(found, "web-01").values[0], 0.1)


def test_libvirt_hosts_are_told_apart_by_their_domains_and_the_names_of_files() -> None:
    first, last, node = ((DATA / n).read_text(encoding="utf-8") for n in (T0, T1, NODE))

    def other(text: str) -> str:
        return text.replace("Domain: '", "Domain: 'x-")

    files = [
        file_of(first, "kvm-1-stats-0.txt"), file_of(other(first), "kvm-2-stats-0.txt"),
        file_of(node, "kvm-2-nodeinfo.txt"), file_of(node, "kvm-1-nodeinfo.txt"),
        file_of(other(last), "kvm-2-stats-1.txt"), file_of(last, "kvm-1-stats-1.txt"),
    ]  # fmt: skip
    found = [each.read(group, _options()) for each, group in recognised(files)]
    assert [[host.name for host in each.hosts] for each in found] == [["kvm-1"], ["kvm-2"]]
    assert [{vm.name for vm in each.vms} for each in found] == [
        {"app-01", "web-01", "off-01"}, {"x-app-01", "x-web-01", "x-off-01"},
    ]  # fmt: skip


def test_prometheus_counters_become_cores() -> None:
    right, found = expected("prometheus_query_range.json"), read_one("prometheus_query_range.json")
    for name in ("app-01", "web-01"):
        values = [NAN if each is None else each for each in right[f"{name}_cores"]]
        measured = series(found, name)
        np.testing.assert_allclose(measured.values, values, rtol=1e-12)
        assert (measured.step_s, measured.unit) == (right["step_s"], "cores")
        assert measured.start.timestamp() == 1_788_739_200
    assert [(vm.name, vm.host, vm.vcpus) for vm in found.vms] == [
        ("app-01", "cmp1", None), ("web-01", "cmp1", None),
    ]  # fmt: skip


def answer(*lines: tuple[dict[str, str], list[list[Any]]]) -> dict[str, Any]:
    result = [{"metric": labels, "values": values} for labels, values in lines]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def test_prometheus_adds_up_busy_modes_of_all_cpus_of_a_host() -> None:
    def mode(cpu: str, mode: str, rate: float) -> tuple[dict[str, str], list[list[Any]]]:
        labels = {"__name__": "node_cpu_seconds_total", "instance": "h1:9100"}
        values = [[t, str(t * rate)] for t in (600, 900, 1200)]
        return labels | {"cpu": cpu, "mode": mode}, values

    found = inventory_of(
        [
            file_of(
                answer(
                    mode("0", "user", 0.5), mode("0", "idle", 0.5), mode("1", "system", 0.25),
                    mode("1", "guest", 0.2),
                ),
                "p.json",
            )
        ]
    )  # fmt: skip
    host = series(found, "h1")
    assert host.kind == "host"
    np.testing.assert_allclose(host.values, [0.75, 0.75])


def test_prometheus_gauges_give_sizes_and_unknown_metrics_are_said() -> None:
    files = [
        file_of(
            answer(
                ({"__name__": "libvirt_domain_info_virtual_cpus", "domain": "a"}, [[60, "4"]]),
                ({"__name__": "up"}, [[60, "1"]]),
                ({}, [[60, "1"]]),
            ),
            "p.json",
        )
    ]
    found = inventory_of(files)
    assert [(vm.name, vm.vcpus, vm.memory_mib) for vm in found.vms] == [("a", 4, None)]
    assert "METRIC_UNKNOWN" in codes(found)
