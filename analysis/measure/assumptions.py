"""Assumptions of a run: every assumed figure, with unit and source.

The list is part of the summary and of the report. A source is ``scenario`` where the field is
written there, else where the default comes from: a paper, a catalogue, or an estimate of ours.
"""

from collections.abc import Iterator, Mapping

from ...models.migration.conversion import Conversion
from ...models.migration.fixed_rate import FixedRate
from ...policies.control.consolidation import name_of
from ...policies.control.control import NoControl
from ...scenarios.language.units import write
from ..base.played_case import PlayedCase
from .model_assumptions import ESTIMATE, model_rows, row


def assumptions(run: PlayedCase, here: Mapping[str, float]) -> list[dict[str, str]]:
    """Return name, value and source of each figure that a run used, units within the value.

    ``here`` are the run's metrics: they say whether hosts were switched and VMs moved. What could
    have been used and was not is left out.

    Rows are in the order server, calibration, switching, load, policies, models, costs; each is a
    mapping with ``assumption``, ``value`` and ``source``, all texts. A field written with the
    value of its default counts as given: its author has looked at it.
    """
    rows = [_server_row(run, index) for index in range(len(run.case.host_models))]
    rows += _calibration_row(run)
    rows += [
        each for index in range(len(run.case.host_models)) for each in _switching(run, index, here)
    ]
    moved = here["migrations"] > 0
    rows += _load_rows(run) + _policy_rows(run, moved) + model_rows(run, moved)
    rows += _cost_rows(run)
    return rows


def _switching(run: PlayedCase, index: int, here: Mapping[str, float]) -> Iterator[dict[str, str]]:
    """Yield what hosts of a group take to boot, to stop and when off, each with its source.

    Boot and shutdown are told only if a host did either, the power when off only if a host was.

    Hosts of a baseline may have groups beyond those of the scenario; nothing of theirs is given.
    """
    model, groups = run.case.host_models[index], run.scenario.farm.hosts
    given = groups[index].model_fields_set if index < len(groups) else set()
    boot = "default: Gandhi et al. (2012), from memory"
    if model.boots_as_hypervisor:
        boot = f"catalogue of hypervisors, {model.hypervisor}"
    told = (
        ("boot", "boot", model.boot_s, model.boot_w, boot, here["host_boots"] > 0),
        ("shutdown", "shutdown", model.stop_s, model.stop_w, ESTIMATE, here["host_shutdowns"] > 0),
    )
    for what, field, time_s, power_w, otherwise, used in told:
        if used:
            value = f"{write(time_s, 'time')} at {power_w:g} W"
            yield row(f"{model.name}: {what}", value, "scenario" if field in given else otherwise)
    if here["hosts_on_mean"] < here["hosts"] or here["host_shutdowns"] > 0:
        source = "scenario" if "off_power" in given else ESTIMATE
        yield row(f"{model.name}: power when off", f"{model.off_w:g} W", source)


def _server_row(run: PlayedCase, index: int) -> dict[str, str]:
    """Return what a host of a group is, and where its figures are from."""
    model = run.case.host_models[index]
    clock = write(model.core_mhz / model.performance, "frequency")
    counted = "" if model.performance == 1 else f" counted {model.performance:.4g} times"
    extra = f" + {model.extra_w:g} W" if model.extra_w else ""
    value = (
        f"{model.server}: {model.cores} cores of {clock}{counted}, "
        f"{write(model.memory_mib, 'memory')}, power by {name_of(model.power)}{extra}"
    )
    return row(f"{model.name}: server", value, model.source)


def _calibration_row(run: PlayedCase) -> list[dict[str, str]]:
    """Return the factor on power curves and what it makes true; nothing without a calibration."""
    part = run.scenario.farm.calibrate
    if part is None:
        return []
    value = f"{run.case.calibration:.4g} times the power of all hosts that are on"
    if part.measured_power is not None:
        value += (
            f", so that the farm as it stands at first draws {write(part.measured_power, 'power')} "
            f"at {write(part.at, 'time')}"
        )
    return [row("Calibration", value, "scenario")]


def _load_rows(run: PlayedCase) -> list[dict[str, str]]:
    """Return what the load is and, if they are few, the sizes of its VMs.

    Notes of the reader say what it took the numbers for where the file does not say it, such as
    percent rather than shares. More than 12 sizes are left out: the table of VMs has them.
    """
    vms = run.case.load.vms
    rows = [row("Load", f"{run.case.load.source}, {len(vms):,} VMs", "scenario")]
    rows += [
        row("Recognised", note, "sizes of the VMs")
        for note in (run.case.load.quality.notes if run.case.load.quality else [])
    ]
    part = run.scenario.workload
    if len(part.known_sizes) <= 12:
        for size in part.known_sizes:
            value = (
                f"{size.vcpus} vCPU of {write(size.clock, 'frequency')}, "
                f"{write(size.memory, 'memory')}"
            )
            given = "sizes" in part.model_fields_set
            rows.append(row(f"VM size {size.name}", value, "scenario" if given else "default"))
    return rows


def _policy_rows(run: PlayedCase, moved: bool) -> list[dict[str, str]]:
    """Return control policy and round, and the figures of migrations at a fixed rate.

    Migration and conversion are told only if VMs ``moved``; without a control policy there is no
    round.
    """
    scenario, policies = run.scenario, run.scenario.policies
    given = policies.model_fields_set
    none = isinstance(policies.control, NoControl)
    control = "none" if none else name_of(policies.control)
    rows = [row("Control", control, "scenario" if "control" in given else "default")]
    if not none:
        source = "scenario" if "every" in given else "default"
        rows.append(row("Control round", f"every {write(policies.every, 'time')}", source))
    model = scenario.migration
    if moved and isinstance(model, FixedRate):
        value = (
            f"memory at {write(model.bandwidth_share, 'share')} of "
            f"{write(model.bandwidth_mbps, 'bandwidth')}, "
            f"guest loses {write(model.guest_loss, 'share')}, "
            f"target carries {write(model.target_load, 'share')}"
        )
        source = "Beloglazov and Buyya (2012); CloudSim" if model == FixedRate() else "scenario"
        rows.append(row("Migration", value, source))
    conversion = scenario.conversion
    if moved and isinstance(conversion, Conversion):
        value = (
            f"disks at {write(conversion.rate_mbps, 'bandwidth')}, shutdown "
            f"{write(conversion.shutdown_s, 'time')}, boot {write(conversion.boot_s, 'time')}"
        )
        rows.append(row("Conversion", value, "estimates; no measurements are published"))
    return rows


def _cost_rows(run: PlayedCase) -> list[dict[str, str]]:
    """Return tariff, PUE, server price and lifetime; prices may be placeholders.

    Placeholders are for trying out a scenario: no saving in money is worth more than the prices put
    in.
    """
    cost = run.scenario.cost
    given = cost.model_fields_set

    def source(name: str, otherwise: str) -> str:
        return "scenario" if name in given else otherwise

    placeholder = "placeholder; replace it with your own"
    return [
        row("Energy tariff", str(cost.energy_price), source("energy_price", placeholder)),
        row("PUE", f"{cost.pue:g}", source("pue", "Uptime Institute survey 2024, second-hand")),
        row(
            "Server price",
            ", ".join(f"{price:g} {cost.currency}" for price in run.case.prices),
            "scenario"
            if all(group.price for group in run.scenario.farm.hosts)
            else source("server_price", placeholder),
        ),
        row(
            "Server lifetime",
            str(write(cost.server_lifetime, "time")),
            source("server_lifetime", "customary"),
        ),
        row("Capital counted for", f"hosts {cost.hosts_paid}", source("hosts_paid", "default")),
    ]


def data_quality(run: PlayedCase) -> dict[str, object]:
    """Return how good the load's data is.

    ``coverage`` is the share of samples that were recorded, ``filled`` how many were made up by
    ``rule``; a load that was generated has neither.

    ``samples_per_series`` counts time slots, ``cut_to_full`` samples above 100 % that were set to
    it, ``files`` those that were read. A low coverage is no error; the run has a warning then.
    """
    quality = run.case.load.quality
    if quality is None:
        return {"source": run.case.load.source, "recorded": False}
    return {
        "source": run.case.load.source,
        "recorded": True,
        "series": quality.series,
        "samples_per_series": quality.slots,
        "coverage": quality.coverage,
        "filled": quality.filled,
        "rule": quality.rule,
        "cut_to_full": quality.cut,
        "files": len(run.case.load.files),
    }
