"""Which model a move follows, by the VM, the hosts that it leaves and the platforms."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from builders import FULL_W, IDLE_W, make_farm, make_hosts, make_vms, rows

from farmsim.models.base.arrays import Ints
from farmsim.models.farm.farm import Farm
from farmsim.models.hardware.power_curves import Linear
from farmsim.models.migration.conversion import (
    ColdConversion,
    Conversion,
    MigrationPlatform,
    NoConversion,
)
from farmsim.models.migration.course import BYTES_PER_MIB, Guest, play_alone
from farmsim.models.migration.fixed_rate import FixedRate, Phases
from farmsim.models.migration.model_table import (
    GroupEndpoint,
    MigrationModels,
    ModelChoice,
    choose_model,
)
from farmsim.models.migration.post_copy import PostCopy
from farmsim.models.migration.pre_copy import PreCopy
from farmsim.models.migration.suspend_resume import Cold

PRE, POST, COLD = PreCopy(), PostCopy(), Cold(storage="before")
KVM = GroupEndpoint(MigrationPlatform("kvm", cpu_vendor="intel", cpu_level=3), PRE)
ESXI = GroupEndpoint(MigrationPlatform("vmware", cpu_vendor="intel", cpu_level=3), POST)
OLD = replace(KVM, platform=replace(KVM.platform, cpu_level=2))
DEVICE = replace(KVM, device=True)
FREED = replace(DEVICE, detachable=True)
CONVERT = ColdConversion(shutdown_s=5.0, boot_s=7.0, rate_mbps=800.0)
NONE = NoConversion()
RESTART = Cold(shutdown_s=5.0, boot_s=7.0)


@pytest.mark.parametrize(
    ("own", "source", "target", "conversion", "model"),
    [
        (None, KVM, KVM, NONE, PRE),
        (POST, KVM, KVM, NONE, POST),
        (None, OLD, KVM, NONE, PRE),
        (None, KVM, OLD, CONVERT, RESTART),
        (replace(PRE, storage="before"), KVM, OLD, CONVERT, replace(RESTART, storage="before")),
        (FixedRate(), KVM, OLD, CONVERT, RESTART),
        (COLD, KVM, OLD, NONE, COLD),
        (None, KVM, ESXI, CONVERT, CONVERT),
        (COLD, KVM, ESXI, CONVERT, CONVERT),
        (None, FREED, KVM, NONE, PRE),
        (None, KVM, DEVICE, NONE, PRE),
        (COLD, DEVICE, DEVICE, NONE, COLD),
        (None, DEVICE, ESXI, CONVERT, CONVERT),
    ],
)
def test_a_move_follows(
    own: Any,
    source: GroupEndpoint,
    target: GroupEndpoint,
    conversion: Conversion | NoConversion,
    model: Any,
) -> None:
    assert choose_model(own, source, target, conversion) == ModelChoice(model)


@pytest.mark.parametrize(
    ("own", "source", "target", "conversion", "reason"),
    [
        (None, KVM, ESXI, NONE, "kvm and vmware differ, and conversion is none"),
        (COLD, KVM, ESXI, NONE, "kvm and vmware differ, and conversion is none"),
        (None, KVM, OLD, NONE, "CPU level 2 is below 3, and conversion is none"),
        (None, DEVICE, KVM, CONVERT, "passthrough device is not to be detached"),
        (FixedRate(), FREED, KVM, CONVERT, "fixed_rate does not detach"),
        (COLD, KVM, replace(KVM, platform=MigrationPlatform("")), CONVERT, "to bare metal"),
        (
            None,
            KVM,
            replace(KVM, platform=MigrationPlatform("abacus")),
            CONVERT,
            "unknown platform abacus",
        ),
    ],
)
def test_a_move_is_impossible_for_a_reason(
    own: Any,
    source: GroupEndpoint,
    target: GroupEndpoint,
    conversion: Conversion | NoConversion,
    reason: str,
) -> None:
    choice = choose_model(own, source, target, conversion)
    assert choice.model is None
    assert reason in choice.reason


def test_the_table_is_over_sizes_and_groups() -> None:
    models = MigrationModels([None, COLD], [KVM, OLD, ESXI], NONE)
    table = models.table()
    assert table is not None
    assert table[0].tolist() == [[True, False, False], [True, True, False], [False, False, True]]
    assert table[1].tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    sizes, left, to = rows(0, 1, 0), rows(0, 0, 2), rows(1, 1, 2)
    assert models.possible(sizes, left, to).tolist() == [False, True, True]
    assert models.reason(0, 0, 1).startswith("CPU level 2")
    assert models.reason(1, 0, 1) == ""
    assert models.uses_network
    assert MigrationModels([None], [KVM, OLD, ESXI], CONVERT).table() is None


def test_a_device_is_detached_where_there_is_one_and_attached_where_there_is_one() -> None:
    models = MigrationModels([None], [FREED, KVM], NONE)

    def steps(left: int, to: int) -> set[str]:
        outcome = play_alone(models.steps(Guest(1e9), 0, left, to), 1e9)
        return {phase.name for phase in outcome.phases}

    assert {"detach device", "attach device"} <= steps(0, 0)
    assert "attach device" not in steps(0, 1)
    assert "detach device" not in steps(1, 0)
    assert not {"detach device", "attach device"} & steps(1, 1)


def test_a_fixed_rate_takes_as_long_beside_a_network_as_alone() -> None:
    model = FixedRate(bandwidth_mbps=1000.0, bandwidth_share=0.5, guest_loss=0.2)
    farm = make_farm(make_hosts([1000.0] * 2), make_vms([100.0], 2048.0))
    farm.place(rows(0), rows(0), 0.0)
    phases = model.schedule(farm, rows(0), rows(1))
    outcome = play_alone(model.steps(Guest(2048.0 * BYTES_PER_MIB)), 1.0)
    assert outcome.total_s == pytest.approx(float(phases.duration_s[0, 0]), rel=1e-12)
    assert outcome.sent_bytes == 2048.0 * BYTES_PER_MIB
    assert outcome.guest_lost_s == pytest.approx(0.2 * outcome.total_s)
    assert outcome.moved


def test_fixed_rates_of_groups_keep_the_order_of_the_moves() -> None:
    slow, fast = FixedRate(bandwidth_mbps=100.0), FixedRate(bandwidth_mbps=1000.0)
    ends = [
        GroupEndpoint(MigrationPlatform("ideal"), slow),
        GroupEndpoint(MigrationPlatform("ideal"), fast),
    ]
    models = MigrationModels([None], ends, NONE)
    assert not models.uses_network
    farm = make_farm(
        make_hosts([1000.0] * 4, power=[Linear(IDLE_W, FULL_W)] * 2, group=[0, 1, 0, 1]),
        make_vms([100.0] * 4),
    )
    vms = np.arange(4)
    farm.place(vms, rows(1, 0, 1, 0), 0.0)
    phases = models.schedule(farm, vms, rows(2, 2, 3, 3))
    quick = float(fast.schedule(farm, rows(0), rows(2)).duration_s[0, 0])
    expected = [quick, 10 * quick, quick, 10 * quick]
    assert phases.duration_s[:, 0].tolist() == pytest.approx(expected)


@dataclass(frozen=True)
class Stopwatch:
    """A model that only knows durations."""

    def schedule(self, farm: Farm, vms: Ints, targets: Ints) -> Phases:
        return FixedRate().schedule(farm, vms, targets)


def test_a_model_of_durations_stands_alone() -> None:
    assert not MigrationModels.only(Stopwatch(), 1, 2).uses_network
    ends = [GroupEndpoint(MigrationPlatform("ideal"), Stopwatch()), KVM]
    with pytest.raises(ValueError, match="Stopwatch gives durations and no steps"):
        MigrationModels([None], ends, CONVERT)
