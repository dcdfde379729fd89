"""The scenario: what a user may write, with units, defaults and meanings.

Everything here is frozen and is never changed by a run. The reference page and the JSON Schema
are made from it.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from ...models.migration.conversion import CONVERSIONS, Conversion, NoConversion
from ...models.migration.fixed_rate import FixedRate, MigrationModel
from ..language.choices import ChoiceField, migration_model
from ..language.conditions import check_conditions
from ..language.fields import Fault, Part, QuantityField, missing, problem, problems
from ..language.value_types import FilePath, Name, Round, RunName
from .applications import ApplicationPart
from .arrivals import AdmissionPart, ProvisioningPart
from .constraints import ConstraintField
from .cost import Baseline, Baselines, CostPart, Dedicated, NoBaseline
from .failures import FailuresPart
from .farm import FarmPart
from .network import NetworkPart
from .planning import PlanningPart
from .policies import PolicyPart
from .workload import WorkloadPart

SCHEMA_VERSION: Final = 1


class ServicePart(Part):
    """What counts as a violation of service.

    If it is absent, VMs share a CPU in proportion to their demand, do not slow each other
    otherwise, and no single request is simulated. An example for a farm with reservations:
    `{sharing: shares, interference: true}`.
    """

    FORMER_FIELDS: ClassVar = {
        "microscope": "simulate_requests",
        "incoming_counts": "incoming_counts_as_violation",
        "idle_energy": "idle_energy_by",
    }

    incoming_counts_as_violation: bool = Field(
        False,
        strict=True,
        description="Whether a host counts as violating the SLA while a VM is copied to it, as in "
        "the CloudSim experiments.",
    )
    sharing: Literal["demand", "shares"] = Field(
        "demand",
        description="How VMs share a saturated CPU: in proportion to their demand, or max-min "
        "fair by shares within reservations and limits, as hypervisors do.",
    )
    interference: bool = Field(
        False,
        strict=True,
        description="Whether VMs with a class slow each other down through cache, memory "
        "bandwidth and disk.",
    )
    simulate_requests: tuple[Name, ...] = Field(
        (),
        description="VMs whose every request is simulated in addition to the formulas; for small "
        "scenarios.",
        examples=[["vm-1"]],
    )
    idle_energy_by: Literal["size", "equal", "usage"] = Field(
        "size",
        description="How the idle power of a host is attributed to its VMs: by CPU size, in equal "
        "parts, or by CPU used.",
    )


class Tenant(Part):
    """Somebody whose VMs run on the farm.

    Without tenants all VMs may share hosts. A tenant that is `dedicated` needs a group of hosts
    with its name: `{name: bank, isolation: dedicated}`.
    """

    name: Name = Field(description="Name of the tenant; sizes and groups of hosts refer to it.")
    isolation: Literal["shared", "dedicated"] = Field(
        "shared",
        description="Whether its VMs may share hosts with other tenants or run only on hosts "
        "dedicated to it.",
    )


class RunPart(Part):
    """How long, and how often it is written down.

    If it is absent, a run lasts a day and writes a value every five minutes. A week in intervals of
    an hour: `{duration: 7 d, report_every: 1 h}`. Intervals set the resolution of series and
    figures; events happen at their own instants between them.
    """

    duration: Annotated[
        float, Field(gt=0), QuantityField("time", least=1.0, most=100 * 31_536_000.0)
    ] = Field(86_400.0, description="Simulated time.")
    report_every: Round = Field(300.0, description="Reporting interval of the time series.")
    host_series: bool = Field(
        False, strict=True, description="Whether a time series per host is written as well."
    )


class Spec(Part):
    """One experiment: a farm, a workload, policies, prices and what to compare with.

    Only `farm` and `workload` are needed; all else has a default, which the reference states with
    its field. Quantities have their units (`24 h`, `8 GiB`, `0.21 EUR/kWh`), and a number without
    one is refused where it could mean several things.
    """

    farmsim: Literal[1] = Field(SCHEMA_VERSION, description="Version of the scenario language.")
    name: RunName = Field(
        "scenario", description="Name of the run: letters, digits, dot, dash, underscore."
    )
    description: Annotated[str, Field(strict=True, max_length=5000)] = Field(
        "", description="Description of the experiment, shown in the report."
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(
        1, description="Seed of all random numbers."
    )
    run: RunPart = Field(
        RunPart.model_construct(), description="Duration of the run and its intervals."
    )
    farm: FarmPart = Field(description="The hosts.")
    workload: WorkloadPart = Field(
        description="The VMs and their demand; with `applications` it may contain `sizes` only."
    )
    applications: tuple[ApplicationPart, ...] = Field(
        (), description="Groups of VMs that share one load and scale with it."
    )
    policies: PolicyPart = Field(
        PolicyPart.model_construct(),
        description="The policies: placement, control, scaling, reserve.",
    )
    migration: Annotated[MigrationModel, migration_model()] = Field(
        FixedRate(),
        description="Migration model of VMs whose size and source host group have none of their "
        "own.",
    )
    conversion: Annotated[
        Conversion | NoConversion, ChoiceField("kind", "conversion", lambda: CONVERSIONS)
    ] = Field(
        NoConversion(),
        description="Conversion model for migrations between hosts that cannot exchange running "
        "VMs (different hypervisors, missing CPU features); `none`: such migrations "
        "are refused.",
    )
    network: NetworkPart = Field(
        NetworkPart.model_construct(), description="The network that carries migrations."
    )
    admission: AdmissionPart = Field(
        AdmissionPart.model_construct(),
        description="What happens to VMs that arrive while no host has capacity.",
    )
    provisioning: ProvisioningPart = Field(
        ProvisioningPart.model_construct(), description="How long starting a VM takes."
    )
    failures: FailuresPart = Field(
        FailuresPart.model_construct(), description="What fails, and what happens then."
    )
    overheads: Literal["low", "typical", "high"] = Field(
        "typical",
        description="Which bound of the hypervisor figures is used; `low` is the least overhead.",
    )
    tenants: tuple[Tenant, ...] = Field((), description="Owners of the VMs.")
    constraints: tuple[ConstraintField, ...] = Field(
        (), description="Placement rules: which VMs must be together, apart, or on certain hosts."
    )
    constraints_file: FilePath | None = Field(
        None,
        description="CSV or Parquet table of further rules, one row per VM and rule; see "
        "docs/constraints.md.",
    )
    service: ServicePart = Field(
        ServicePart.model_construct(),
        description="What counts as an SLA violation, and how service is accounted for.",
    )
    cost: CostPart = Field(CostPart.model_construct(), description="Prices.")
    baseline: Annotated[Baselines, Field(min_length=1, max_length=5)] = Field(
        (Dedicated.model_construct(type="dedicated"),),
        description="What savings are measured against: one baseline or a list. Saving metrics "
        "and `assert` refer to the first; each has its own sentence and column in the "
        "results.",
        examples=[[{"type": "unconsolidated"}, {"type": "dedicated"}]],
    )
    planning: PlanningPart | None = Field(
        None,
        description="Limits of a plan: how far hosts may be filled, and how many may fail; "
        "default: those of common practice.",
    )
    assertions: dict[str, str] = Field(
        {},
        alias="assert",
        description="Conditions that metrics must satisfy; if one fails, the exit code is 1.",
        examples=[{"energy_kwh": "< 300", "slatah": "<= 0.05"}],
    )
    variants: dict[RunName, dict[str, Any]] = Field(
        {},
        description="Named sets of changes (dotted path and value) that `farmsim compare` runs; "
        "differences are against the variant `base`, or else the first.",
        examples=[{"base": {}, "larger": {"farm.hosts.0.count": 12}}],
    )
    defaults: tuple[Annotated[str, Field(strict=True, max_length=1000)], ...] = Field(
        (),
        description="Dotted paths of values that are defaults, as listed in "
        "`scenario.resolved.yaml`: while such a value equals the default, it counts "
        "as not given.",
        examples=[["cost.energy_price"]],
    )

    @field_validator("assertions")
    @classmethod
    def _conditions(cls, conditions: dict[str, str]) -> dict[str, str]:
        """Refuse conditions on metrics that do not exist, and those that cannot be read.

        Names are those of the metrics in the summary; the error points to ``assert``.
        """
        try:
            check_conditions(conditions)
        except ValueError as error:
            raise problem(str(error)) from None
        return conditions

    @field_validator("baseline")
    @classmethod
    def _none_alone(cls, baselines: tuple[Baseline, ...]) -> tuple[Baseline, ...]:
        """Refuse the baseline ``none`` beside others.

        The error points to the ``type`` of each ``none``.
        """
        nothing = [row for row, each in enumerate(baselines) if isinstance(each, NoBaseline)]
        if nothing and len(baselines) > 1:
            message = "none cannot be combined with other baselines; remove it, or write it alone"
            raise problems([((row, "type"), message) for row in nothing])
        return baselines

    @property
    def has_baseline(self) -> bool:
        """Whether there is anything to compare with."""
        return not any(isinstance(each, NoBaseline) for each in self.baseline)

    @field_serializer("baseline")
    def _one_or_several(self, baselines: tuple[Baseline, ...]) -> Any:
        """Write a single baseline without a list, as users write it."""
        return baselines[0] if len(baselines) == 1 else baselines

    @field_validator("tenants")
    @classmethod
    def _tenants_differ(cls, tenants: tuple[Tenant, ...]) -> tuple[Tenant, ...]:
        """Refuse two tenants of one name.

        The error points to the name of each tenant whose name an earlier one has.
        """
        names = [tenant.name for tenant in tenants]
        faults: list[Fault] = [
            ((index, "name"), f"{name!r} is the name of two tenants; make the names unique")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if faults:
            raise problems(faults)
        return tenants

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        """Refuse a scenario in which nothing is requested.

        A workload may say nothing but sizes if applications bring the VMs.

        What is missing is told at ``workload.source``, and VMs without a source at
        ``workload.vms``.
        """
        if self.workload.source is None and self.workload.arrivals is None:
            if not self.applications:
                raise missing("workload", "source")
            if self.workload.vms is not None:
                message = (
                    "VMs outside applications need a source; add workload.source, or remove this"
                )
                raise problems([(("workload", "vms"), message)])
        return self

    def in_currency(self, currency: str) -> Self:
        """Return the scenario with default prices in a currency.

        Prices that were given stay as they are; the scenario itself if nothing changes.

        The amounts themselves are not converted: see :meth:`.CostPart.in_currency`.
        """
        cost = self.cost.in_currency(currency)
        if cost is self.cost:
            return self
        copy = self.model_copy()
        copy.__dict__["cost"] = cost  # an update would count as written
        return copy
