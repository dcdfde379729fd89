"""What a result rests on: every figure that was assumed, with unit and source."""

from typing import Any

from ..models.conversion import Conversion
from ..models.migration import FixedRate
from ..policies.consolidation import name_of
from ..scenarios.build import Case
from ..scenarios.units import write
from .model_assumptions import model_rows, row


def assumptions(case: Case) -> list[dict[str, str]]:
    """Return name, value and source of each assumption, units within the value."""
    scenario = case.scenario
    rows = [_server_row(case, index) for index in range(len(case.host_models))]
    for index, model in enumerate(case.host_models):
        rows.append(
            row(
                f"{model.name}: boot, shutdown, off",
                f"{write(model.boot_s, 'time')} at {model.boot_w:g} W, "
                f"{write(model.stop_s, 'time')} at {model.stop_w:g} W, {model.off_w:g} W",
                _given(scenario.farm.hosts, index, ("boot", "shutdown", "off_power")),
            )
        )
    rows += _load_rows(case) + _policy_rows(case) + model_rows(case) + _cost_rows(case)
    return rows


def _given(groups: Any, index: int, names: tuple[str, ...]) -> str:
    if index < len(groups) and set(names) <= groups[index].model_fields_set:
        return "scenario"
    return (
        "default where the scenario is silent: 260 s to boot (Gandhi et al. 2012, from memory), "
        "60 s to stop and 5 W off (estimates)"
    )


def _server_row(case: Case, index: int) -> dict[str, str]:
    model = case.host_models[index]
    value = (
        f"{model.server}: {model.cores} cores of {write(model.core_mhz, 'frequency')}, "
        f"{write(model.memory_mib, 'memory')}, power by {name_of(model.power)}"
    )
    return row(f"{model.name}: server", value, model.source)


def _load_rows(case: Case) -> list[dict[str, str]]:
    vms = case.load.vms
    rows = [row("Load", f"{case.load.source}, {len(vms):,} VMs", "scenario")]
    part = case.scenario.workload
    if len(part.known_sizes) <= 12:
        for size in part.known_sizes:
            value = (
                f"{size.vcpus} vCPU of {write(size.clock, 'frequency')}, "
                f"{write(size.memory, 'memory')}"
            )
            given = "sizes" in part.model_fields_set
            rows.append(row(f"VM size {size.name}", value, "scenario" if given else "default"))
    return rows


def _policy_rows(case: Case) -> list[dict[str, str]]:
    scenario = case.scenario
    rows = [
        row("Control", name_of(scenario.policies.control), "scenario"),
        row("Control round", f"every {write(scenario.policies.every, 'time')}", "scenario"),
    ]
    model = scenario.migration
    if isinstance(model, FixedRate):
        value = (
            f"memory at {write(model.share, 'share')} of "
            f"{write(model.bandwidth_mbps, 'bandwidth')}, "
            f"guest loses {write(model.guest_loss, 'share')}, "
            f"target carries {write(model.target_load, 'share')}"
        )
        rows.append(row("Migration", value, "Beloglazov and Buyya (2012); CloudSim"))
    conversion = scenario.conversion
    if isinstance(conversion, Conversion):
        value = (
            f"disks at {write(conversion.rate_mbps, 'bandwidth')}, shutdown "
            f"{write(conversion.shutdown_s, 'time')}, boot {write(conversion.boot_s, 'time')}"
        )
        rows.append(row("Conversion", value, "estimates; no measured figures are public"))
    return rows


def _cost_rows(case: Case) -> list[dict[str, str]]:
    cost = case.scenario.cost
    given = cost.model_fields_set

    def source(name: str, otherwise: str) -> str:
        return "scenario" if name in given else otherwise

    placeholder = "placeholder, replace by your own"
    return [
        row("Energy tariff", str(cost.energy_price), source("energy_price", placeholder)),
        row("PUE", f"{cost.pue:g}", source("pue", "Uptime Institute survey 2024, second-hand")),
        row(
            "Server price", ", ".join(f"{price:g} {cost.currency}" for price in case.prices),
            "scenario" if all(group.price for group in case.scenario.farm.hosts)
            else source("server_price", placeholder),
        ),
        row(
            "Server lifetime", str(write(cost.server_lifetime, "time")),
            source("server_lifetime", "customary"),
        ),
        row("Capital counted for", f"hosts {cost.hosts_paid}", source("hosts_paid", "default")),
    ]  # fmt: skip


def data_quality(case: Case) -> dict[str, object]:
    """Return how good the load's data is."""
    quality = case.load.quality
    if quality is None:
        return {"source": case.load.source, "recorded": False}
    return {
        "source": case.load.source,
        "recorded": True,
        "series": quality.series,
        "samples_per_series": quality.slots,
        "coverage": quality.coverage,
        "filled": quality.filled,
        "rule": quality.rule,
        "cut_to_full": quality.cut,
        "files": len(case.load.files),
    }
