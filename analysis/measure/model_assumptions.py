"""Parameters of the models used by a run: hypervisors, licences, migrations, network, service."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from ...models.base.parameters import parameters_of
from ...models.migration.fixed_rate import FixedRate
from ...policies.control.control import migrates_vms
from ...scenarios.language.choices import show_parameters
from ...scenarios.language.units import write
from ...scenarios.resolve.migration import may_use_network
from ...scenarios.spec.network import MIGRATIONS_PER_HOST
from ..base.played_case import PlayedCase

Row = dict[str, str]
ESTIMATE = "estimate"


def row(what: str, value: str, source: str) -> Row:
    """Return an assumption: what it is about, its value with units, and where it is from."""
    return {"assumption": what, "value": value, "source": source}


def model_rows(run: PlayedCase, moved: bool) -> list[Row]:
    """Return the assumptions of all models except power and load; ``moved``: VMs migrated.

    Figures of migration and network are left out where no VM moved, since none of them was used.
    """
    moves = [*_migration_rows(run), *_network_rows(run)] if moved else []
    return [*_layer_rows(run), *_licence_rows(run), *moves, *_service_rows(run, moved)]


def _layer_rows(run: PlayedCase) -> Iterator[Row]:
    """Yield what the hypervisor of each group costs: factors of CPU, MHz and memory kept.

    Ranges are those over the sizes of VMs: what a VM costs depends on its vCPUs and its memory.
    Bare metal (kind ``none``) costs nothing by definition.
    """
    stack, level = run.case.stack, run.scenario.overheads
    source = f"catalogue of hypervisors, {level} overheads, changes in the scenario"
    for column, (model, platform) in enumerate(
        zip(run.case.host_models, stack.platforms, strict=True)
    ):
        layer = platform.hypervisor
        if layer.kind == "none":
            yield row(f"{model.name}: hypervisor", f"{layer.name}, no overhead", "definition")
            continue
        factor = _span(stack.costs.work_factor[:, column].tolist(), "")
        extra = _span(stack.costs.extra_mib[:, column].tolist(), " MiB")
        kept = write(platform.base_mib, "memory")
        yield row(
            f"{model.name}: hypervisor",
            f"{layer.name}: a VM's work takes {factor} times the CPU of bare metal; the hypervisor "
            f"uses {kept} and {platform.base_mhz:g} MHz of a host and {extra} a VM",
            source,
        )


def _licence_rows(run: PlayedCase) -> Iterator[Row]:
    """Yield the licence of each group that has one, or why it is not counted.

    A licence is by the VM, or by the host with a least number of cores in all.

    A price in another currency than the scenario's is not converted: the licence is left out of the
    costs, and the row says so. A group without a licence, or with a free one, has no row.
    """
    currency = run.currency
    for model, licence in zip(run.case.host_models, run.case.licences, strict=True):
        what, listed = f"{model.name}: licence", f"list price of {model.hypervisor}"
        if licence.foreign:
            known = f"not counted: the list price is in {licence.foreign}, not {currency}"
            yield row(what, known, listed)
        elif licence.per_vm:
            yield row(what, f"{licence.per_vm:g} {currency} a VM and year", listed)
        elif licence.per_host:
            value = f"{licence.per_host:g} {currency} a host and year"
            if licence.min_cores:
                value += f", {licence.min_cores:g} cores minimum order"
                value += f" ({licence.order_note})" if licence.order_note else ""
            yield row(what, value, listed if licence.listed else "scenario")


def _migration_rows(run: PlayedCase) -> Iterator[Row]:
    """Yield each migration model that is not at a fixed rate, with its parameters."""
    for what, model in _models(run):
        if model is not None and not isinstance(model, FixedRate):
            yield row(what, type(model).__name__, "docs/migration.md")
            yield from _figures(what, model)


def _models(run: PlayedCase) -> list[tuple[str, Any]]:
    """Return the migration models of the scenario, its groups and sizes; None where unset."""
    scenario = run.scenario
    models = [("Migration", scenario.migration)]
    models += [(f"Migration from {group.name}", group.migration) for group in scenario.farm.hosts]
    models += [(f"Migration of {size.name}", size.migration) for size in scenario.workload.sizes]
    return models


def _figures(what: str, part: Any) -> Iterator[Row]:
    """Yield the fields of a model, those of its parts too.

    ``what`` leads the name of each row. Parts that are models themselves, such as a compression,
    are taken apart in turn. The source is ``scenario`` where a value is not the default; a default
    is an estimate where the help of its parameter says so.
    """
    shown, defaults = show_parameters(part), {each.name: each.default for each in fields(part)}
    for name, parameter in parameters_of(type(part)).items():
        value, key = getattr(part, name), parameter.key or name
        if is_dataclass(value):
            yield from _figures(f"{what}: {key}", value)
            continue
        source = "scenario"
        if value == defaults[name]:
            source = ESTIMATE if ESTIMATE in parameter.help.lower() else "default of the model"
        yield row(f"{what}: {key}", str(shown[key]), source)


def _network_rows(run: PlayedCase) -> Iterator[Row]:
    """Yield the fields of the network where migrations may use one.

    Fixed rate migrations do not use the network; unless one is written, nothing bounds how many go
    on at a time, which is said here since it makes migrations cheap.
    """
    part = run.scenario.network
    if may_use_network(run.scenario):
        shown = part.model_dump(by_alias=True)
        shown["layout"] = part.topology.model_dump(by_alias=True)
        shown["max_migrations_per_host"] = part.max_migrations_per_host or MIGRATIONS_PER_HOST
        yield from _fields("Network", shown, part.model_fields_set)
    fixed = any(isinstance(model, FixedRate) for _, model in _models(run))
    if fixed and not part.stated and migrates_vms(run.scenario.policies.control):
        told = (
            "no port: unlimited concurrent migrations, each at its full rate; add network: to "
            "share bandwidth"
        )
        yield row("Migrations at a fixed rate share", told, "default")


def _service_rows(run: PlayedCase, moved: bool) -> Iterator[Row]:
    """Yield the fields of the service that matter in this run.

    A field is left out where nothing in the run could use it, such as the sharing of idle energy
    without tenants.
    """
    part = run.scenario.service
    used = {
        "sharing": True,
        "incoming_counts_as_violation": moved,
        "simulate_requests": bool(part.simulate_requests),
        "idle_energy_by": bool(run.case.stack.tenants),
        "interference": any(run.case.stack.classes),
    }
    shown = part.model_dump(by_alias=True)
    used_ones = {name: value for name, value in shown.items() if used.get(name, True)}
    yield from _fields("Service", used_ones, part.model_fields_set)


def _fields(what: str, shown: dict[str, Any], given: set[str]) -> Iterator[Row]:
    """Yield the fields of a part of the scenario, those that were given marked so."""
    for name, value in shown.items():
        text = (
            ", ".join(f"{key} {each}" for key, each in value.items())
            if isinstance(value, dict)
            else str(value)
        )
        yield row(f"{what}: {name}", text, "scenario" if name in given else "default")


def _span(values: list[float], unit: str) -> str:
    """Return the range of some values as text, one value where all are equal.

    Three significant digits; ``unit`` is put behind each number. Raises ValueError for no values.
    """
    low, high = min(values), max(values)
    return f"{low:.3g}{unit}" if low == high else f"{low:.3g} to {high:.3g}{unit}"
