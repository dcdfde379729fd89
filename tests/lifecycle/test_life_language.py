"""Waiting and starting as a user meets them: what is refused, and the story of a VM."""

from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.scenarios.errors.problems import InputError

ARRIVALS = """arrival,lifetime,vcpus,memory
0,1000,2,8
10,1000,2,8
20,1000,2,8
30,,2,8
40,1000,2,800
"""
PLAIN = """farmsim: 1
name: plain
farm: {hosts: [{name: h, server: dell_r740_8280, count: 1}]}
workload: {source: azure-v1-week, sizes: [{name: a, vcpus: 1, clock: 1 GHz, memory: 1 GiB}]}
"""
SERVER = {
    "cores": 4, "clock": "2.6 GHz", "memory": "30 GiB",
    "power": {"model": "constant", "power": "9 W"},
}  # fmt: skip


def scenario(folder: Path, **changes: Any) -> farmsim.Scenario:
    """One host with room for one VM."""
    (folder / "queue.csv").write_text(ARRIVALS)
    source = {"type": "table", "path": "queue.csv", "clock": "2.6 GHz", "utilisation": "20 %"}
    base = {
        "name": "queue",
        "run": {"duration": "2 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 1, "hypervisor": "kvm"}]},
        "workload": {"arrivals": source},
        "policies": {"initial": {"placement": "best_fit", "unplaced": "reject"}},
        "provisioning": {"method": "linked_clone", "boot": "45 s"},
        "admission": {"max_queue": 2, "max_wait": "20 min", "retries": 1},
        "baseline": {"type": "none"},
    }
    return farmsim.Scenario.of(base | changes, folder)


def test_explain_tells_the_life_of_a_vm(tmp_path: Path) -> None:
    result = farmsim.run(scenario(tmp_path))
    assert result.vm_history("vm-3").text().splitlines()[2:11] == [
        "00:00:20  is requested",
        "00:00:20  waits in the queue",
        "00:20:20  is turned away for now: waited too long",
        "00:25:20  waits in the queue",
        "00:34:10  starts on h-1",
        "00:35:00  runs on h-1",
        "00:51:40  ends on h-1",
        "02:00:00  the run ends; it had ended",
        "",
    ]
    assert (
        "waited 34 min 40 s; left 16 min 40 s after it first ran"
        in result.vm_history("vm-3").text()
    )
    assert "00:16:40  ends on h-1" in result.vm_history("vm-1").text()
    reasons = result.tables["vms"]["reason"].to_pylist()
    assert reasons == ["", "", "", "the queue is full", "does not fit on any host of the farm"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("admission: {max_queue: -1}", "admission.max_queue: -1 is out of range"),
        ("admission: {max_queue: 2.5}", "admission.max_queue: "),
        ("admission: {max_wait: -5 min}", "admission.max_wait: "),
        ("admission: {max_wait: 0 s}", "admission.max_wait: "),
        ("admission: {retries: -1}", "admission.retries: -1 is out of range"),
        ("admission: {retry_after: 0 s}", "admission.retry_after: "),
        ("admission: {que: 3}", "admission.que: unknown key 'que'; did you mean max_queue?"),
        ("provisioning: {method: clone}", "provisioning.method: "),
        ("provisioning: {image: -1 GiB}", "provisioning.image: "),
        ("provisioning: {copy_bandwidth: 0 Gbit/s}", "provisioning.copy_bandwidth: "),
        ("provisioning: {boot: -1 s}", "provisioning.boot: "),
        ("provisioning: {starts_per_host: 0}", "provisioning.starts_per_host: "),
    ],
)
def test_bad_input_names_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(f"{PLAIN}{text}\n")
    with pytest.raises(InputError) as caught:
        farmsim.Scenario.load(file)
    assert f"bad.yaml:{len(PLAIN.splitlines()) + 1}:" in str(caught.value)
    assert message in str(caught.value)


def test_an_arriving_giant_is_named_before_the_run(tmp_path: Path) -> None:
    policies = {"initial": {"placement": "best_fit"}}
    with pytest.raises(InputError, match=r"1 VM fits no host: size 2 vCPU, 800 GiB "):
        farmsim.run(scenario(tmp_path, policies=policies))
