"""The scenario: what a user may write, with units, defaults and meanings.

Everything here is frozen and is never changed by a run. The reference page and the JSON Schema
are made from it.
"""

import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from ..models.catalogue import servers, traces, workload_classes
from ..models.generators import Bursts, LoadClass
from ..models.migration import MIGRATION_MODELS, FixedRate, MigrationModel
from ..models.power import POWER_MODELS
from ..models.workload import OnEnd
from ..policies.control import ControlPolicy, NoControl
from ..policies.first_fit_decreasing import FirstFitDecreasing
from ..policies.placement import Placement
from .conditions import check_conditions
from .fields import Amount, Knobs, Named, Part, Quantity, policy_slot, problem
from .suggest import unknown_name
from .units import Money

SCHEMA_VERSION: Final = 1
MAX_HOSTS = 2_000_000
MAX_VMS = 20_000_000

Seconds = Annotated[float, Field(ge=0), Quantity("time")]
Period = Annotated[float, Field(gt=0), Quantity("time")]
Megahertz = Annotated[float, Field(gt=0), Quantity("frequency")]
Mebibytes = Annotated[float, Field(gt=0), Quantity("memory")]
Watts = Annotated[float, Field(ge=0), Quantity("power")]
Share = Annotated[float, Field(ge=0, le=1), Quantity("share")]
Count = Annotated[int, Field(strict=True, ge=1)]
Factor = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
RunName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
FilePath = Annotated[str, Field(strict=True, min_length=1, max_length=4096)]


class Switching(Part):
    """How long a host takes to boot or to shut down, and the power it draws meanwhile."""

    duration: Seconds = Field(description="How long it takes; 0 s switches at once.")
    power: Watts | None = Field(
        None, description="Power meanwhile; if absent, full power to boot, idle power to stop."
    )


class InlineServer(Part):
    """A server that the catalogue does not have."""

    cores: Count = Field(description="Physical cores in all.")
    clock: Megahertz = Field(description="Nominal clock of a core.")
    memory: Mebibytes = Field(description="Memory installed.")
    power: Annotated[Any, Named("model", "power model", lambda: POWER_MODELS)] = Field(
        description="Power by utilisation."
    )


def _server_tag(written: Any) -> str:
    return "inline" if isinstance(written, dict | InlineServer) else "catalogue"


ServerField = Annotated[
    Annotated[str, Tag("catalogue")] | Annotated[InlineServer, Tag("inline")],
    Discriminator(_server_tag),
]


class HostGroup(Part):
    """Hosts that are alike."""

    name: Name = Field(description="Name of the group; its hosts are numbered under it.")
    server: ServerField = Field(
        description="A server of the catalogue (`farmsim catalog servers`), or one written out.",
        examples=["hp_ml110_g5", "dell_r740_8280"],
    )
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_HOSTS)] = Field(
        description="Number of hosts."
    )
    memory: Mebibytes | None = Field(
        None, description="Memory of each host, if not that of the catalogue."
    )
    power: Annotated[Any, Named("model", "power model", lambda: POWER_MODELS)] = Field(
        None, description="Power by utilisation, if not the measured curve of the server."
    )
    off_power: Watts = Field(
        5.0, description="Power when off: the management controller stays awake (3 to 12 W)."
    )
    boot: Switching = Field(
        Switching.model_validate({"duration": "260 s"}),
        description="Booting; the default is the set-up time of Gandhi et al. (2012).",
    )
    shutdown: Switching = Field(
        Switching.model_validate({"duration": "60 s"}), description="Shutting down."
    )
    price: Annotated[Money | None, Amount()] = Field(
        None, description="Price of one host, if not `cost.server_price`."
    )

    @field_validator("server")
    @classmethod
    def _known_server(cls, server: str | InlineServer) -> str | InlineServer:
        if isinstance(server, str) and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server


class FarmPart(Part):
    """The hosts."""

    hosts: tuple[HostGroup, ...] = Field(min_length=1, description="Groups of like hosts.")
    order: Literal["grouped", "interleaved"] = Field(
        "grouped",
        description="Whether hosts are numbered group after group, or one of each in turn; "
        "first fit and ties between hosts follow the numbers.",
    )

    @field_validator("hosts")
    @classmethod
    def _names_differ(cls, hosts: tuple[HostGroup, ...]) -> tuple[HostGroup, ...]:
        names = [group.name for group in hosts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise problem(f"two groups are called {twice[0]!r}; give each its own name")
        return hosts


class Size(Part):
    """A size of VM and how many VMs have it."""

    name: Name = Field(description="Name of the size.")
    vcpus: Count = Field(2, description="Virtual CPUs.")
    clock: Megahertz = Field(2500.0, description="What 100 % of one vCPU stands for.")
    memory: Mebibytes = Field(4096.0, description="Memory, all of it reserved on the host.")
    count: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        None, description="Number of VMs of this size; give counts or shares, not both."
    )
    share: Annotated[float, Field(gt=0), Quantity("share")] | None = Field(
        None, description="Part of the VMs that have this size."
    )


class Shipped(Part):
    """A trace that comes with farmsim."""

    type: Literal["shipped"]
    name: Name = Field(description="Its name; see `farmsim catalog workloads`.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in traces():
            raise problem(unknown_name("shipped trace", name, traces()))
        return name


class PlanetLab(Part):
    """A folder (or zip or tar archive) of text files, one VM each, one percentage a line."""

    type: Literal["planetlab"]
    path: FilePath = Field(description="Folder or archive, relative to the scenario.")
    step: Period = Field(300.0, description="Time between two lines.")


class TableTrace(Part):
    """A CSV or Parquet table: wide (a column per VM) or tidy (columns time, VM, value)."""

    type: Literal["csv", "parquet"]
    path: FilePath = Field(description="The file, relative to the scenario.")
    layout: Literal["wide", "tidy"] = Field("wide", description="Shape of the table.")
    time: Name = Field(
        "time", description="Column of the time: seconds, or ISO 8601 date and time."
    )
    vm: Name = Field("vm", description="Column of the VM's name, where the layout is tidy.")
    value: Name = Field("cpu", description="Column of the utilisation, where the layout is tidy.")
    unit: Literal["percent", "share"] = Field(
        "percent", description="Whether 1 means one percent of the VM's CPU or all of it."
    )


class Bitbrains(Part):
    """A folder (or archive) of GWA-T-12 files, one VM each; sizes come with the trace."""

    type: Literal["bitbrains"]
    path: FilePath = Field(description="Folder or archive, relative to the scenario.")
    step: Period = Field(300.0, description="Time between two samples.")


class ConstantLoad(Part):
    """The same utilisation for every VM at all times."""

    type: Literal["constant"]
    utilisation: Share = Field(description="Share of its own CPU that each VM asks for.")


def _classes_tag(written: Any) -> str:
    return "own" if isinstance(written, list | tuple) else "fitted"


ClassesField = Annotated[
    Annotated[str, Tag("fitted")]
    | Annotated[
        tuple[Annotated[LoadClass, Knobs(LoadClass)], ...], Field(min_length=1), Tag("own")
    ],
    Discriminator(_classes_tag),
]


class Synthetic(Part):
    """Load made by classes of VMs; see docs/workloads.md for what it does not reproduce."""

    type: Literal["synthetic"]
    classes: ClassesField = Field(
        "planetlab",
        description="A fitted set (planetlab, bitbrains, azure, google) or classes written out.",
    )
    step: Period = Field(300.0, description="Time between two changes of load.")
    farm_factor: Annotated[float, Field(ge=0, lt=1), Quantity("share")] = Field(
        0.0, description="Part of the variance that the whole farm shares."
    )
    daily_peak: Annotated[float, Field(ge=0, lt=86_400), Quantity("time")] = Field(
        50_400.0, description="Time of day at which the daily part is highest."
    )
    bursts: Annotated[Bursts, Knobs(Bursts)] | None = Field(
        None, description="Occasional periods of high load."
    )

    @field_validator("classes")
    @classmethod
    def _known_set(cls, classes: Any) -> Any:
        if isinstance(classes, str) and classes not in workload_classes()["sets"]:
            raise problem(unknown_name("set of classes", classes, workload_classes()["sets"]))
        return classes


def _shipped_by_name(written: Any) -> Any:
    return {"type": "shipped", "name": written} if isinstance(written, str) else written


class Resampled(Part):
    """Blocks of a recorded trace, drawn again and again."""

    type: Literal["resample"]
    of: Annotated[
        Shipped | PlanetLab | TableTrace | Bitbrains, BeforeValidator(_shipped_by_name)
    ] = Field(discriminator="type", description="The trace to draw from.")
    block: Period = Field(86_400.0, description="Length of a block.")
    blocks: Literal["together", "apart"] = Field(
        "together", description="Whether all VMs draw the same block, or each its own."
    )


Source = Annotated[
    Shipped | PlanetLab | TableTrace | Bitbrains | ConstantLoad | Synthetic | Resampled,
    Field(discriminator="type"),
    BeforeValidator(_shipped_by_name),
]


class WorkloadPart(Part):
    """What the VMs ask for."""

    source: Source = Field(description="Where utilisation over time comes from.")
    vms: Annotated[int, Field(strict=True, ge=1, le=MAX_VMS)] | None = Field(
        None,
        description="Number of VMs; if absent, as many as the trace has or the counts of the "
        "sizes say. With more VMs than the trace has, the trace is gone through again.",
    )
    sizes: tuple[Size, ...] = Field(
        (Size(name="standard"),), min_length=1, description="Sizes of the VMs."
    )
    deal: Literal["blocks", "cycle", "random"] = Field(
        "blocks", description="How sizes are dealt to VMs: in blocks, in turn, or at random."
    )
    on_end: OnEnd = Field(
        "hold", description="What a trace does at its end: hold the last value, start again, stop."
    )
    gaps: Literal["refuse", "hold", "interpolate", "zero"] = Field(
        "refuse", description="How missing samples are filled, or that they are refused."
    )
    above_full: Literal["refuse", "cut"] = Field(
        "refuse", description="What happens to samples above 100 %."
    )

    @property
    def sizes_from_trace(self) -> bool:
        """Whether the sizes are those that the trace records."""
        source = self.source.of if isinstance(self.source, Resampled) else self.source
        return isinstance(source, Bitbrains) and "sizes" not in self.model_fields_set

    @field_validator("sizes")
    @classmethod
    def _counts_or_shares(cls, sizes: tuple[Size, ...]) -> tuple[Size, ...]:
        names = [size.name for size in sizes]
        if len(set(names)) < len(names):
            raise problem("two sizes have the same name; give each its own")
        counted = [size.count is not None for size in sizes]
        shared = [size.share is not None for size in sizes]
        if any(counted) and any(shared):
            raise problem("some sizes have counts and some shares; give all of them the same")
        if (any(counted) and not all(counted)) or (any(shared) and not all(shared)):
            raise problem("give a count (or a share) to every size, or to none")
        total = sum(size.share or 0.0 for size in sizes)
        if all(shared) and not math.isclose(total, 1.0, abs_tol=1e-6):
            raise problem(f"the shares sum to {total * 100:g} %; make them sum to 100 %")
        if all(counted) and not sum(size.count or 0 for size in sizes):
            raise problem("all counts are 0; ask for at least one VM")
        return sizes


class InitialPlacement(Part):
    """Where VMs are before time begins."""

    placement: Annotated[Placement, policy_slot("placement")] = Field(
        FirstFitDecreasing(), description="Which host each VM starts on."
    )
    by: Literal["size", "demand"] = Field(
        "size", description="Whether a VM counts with its size or with its first demand."
    )
    cpu_overcommit: Annotated[Factor, Field(gt=0, le=100)] = Field(
        1.0, description="CPU that may be promised per CPU installed, where VMs count by size."
    )
    unplaced: Literal["refuse", "reject"] = Field(
        "refuse", description="Whether VMs that fit nowhere end the run or are listed as rejected."
    )


class PolicyPart(Part):
    """Who decides what."""

    initial: InitialPlacement = Field(
        InitialPlacement(), description="Placement before time begins."
    )
    control: Annotated[ControlPolicy, policy_slot("control")] = Field(
        NoControl(), description="What is done every round."
    )
    every: Period = Field(300.0, description="Time between two rounds; the first is after one.")
    slow_cores: Literal["allow", "refuse"] = Field(
        "allow",
        description="Whether a VM may be put where a core is slower than the VM wants one to be; "
        "it then gets no more than its vCPUs' worth of cores.",
    )


class ServicePart(Part):
    """What counts as a violation of service."""

    incoming_counts: bool = Field(
        False,
        strict=True,
        description="Whether a host counts as violating while a VM is copied to it, as in the "
        "CloudSim experiments.",
    )


class CostPart(Part):
    """Prices; the defaults are placeholders for your own."""

    currency: Annotated[str, Field(strict=True, pattern=r"^[A-Z]{3}$")] = Field(
        "EUR", description="Currency of all amounts, three capital letters."
    )
    energy_price: Annotated[Money, Amount(per_kwh=True)] = Field(
        Money(0.21, "EUR", per_kwh=True), description="Energy tariff."
    )
    pue: Annotated[Factor, Field(ge=1, le=10)] = Field(
        1.56,
        description="Power of the site per power of the servers (Uptime Institute, mean of 2024).",
    )
    server_price: Annotated[Money, Amount()] = Field(
        Money(7000.0, "EUR"), description="Price of a host whose group names none."
    )
    server_lifetime: Period = Field(
        126_144_000.0, description="Time over which the price of a host is spread evenly."
    )
    hosts_paid: Literal["needed", "owned"] = Field(
        "needed",
        description="Whether capital is counted for the most hosts ever on at once, or for all.",
    )
    investment: Annotated[Money | None, Amount()] = Field(
        None, description="What the consolidation costs once; gives its payback time."
    )


class Dedicated(Part):
    """Each workload on a server of its own, without a hypervisor, always on."""

    type: Literal["dedicated"]
    server: str | None = Field(
        None,
        description="Which server; if absent, that of the first group whose hosts hold any VM.",
    )
    price: Annotated[Money | None, Amount()] = Field(
        None, description="Price of one, if not `cost.server_price`."
    )

    @field_validator("server")
    @classmethod
    def _known(cls, server: str | None) -> str | None:
        if server is not None and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server


class Unconsolidated(Part):
    """The same farm with nothing moved and every host on."""

    type: Literal["unconsolidated"]
    placement: Annotated[Placement | None, policy_slot("placement")] = Field(
        None, description="Initial placement, if not that of the scenario."
    )


class OtherScenario(Part):
    """Another scenario file."""

    type: Literal["scenario"]
    path: FilePath = Field(description="The file, relative to this one.")


class NoBaseline(Part):
    """Nothing to compare with."""

    type: Literal["none"]


Baseline = Annotated[
    Dedicated | Unconsolidated | OtherScenario | NoBaseline, Field(discriminator="type")
]


class RunPart(Part):
    """How long, and how often it is written down."""

    duration: Period = Field(86_400.0, description="Simulated time.")
    report_every: Period = Field(300.0, description="Length of an interval of the series.")
    host_series: bool = Field(
        False, strict=True, description="Whether a series per host is written as well."
    )


class Spec(Part):
    """One experiment: a farm, a workload, policies, prices and what to compare with."""

    farmsim: Literal[1] = Field(SCHEMA_VERSION, description="Version of the scenario language.")
    name: RunName = Field(
        "scenario", description="Name of the run: letters, digits, dot, dash, underscore."
    )
    description: Annotated[str, Field(strict=True, max_length=5000)] = Field(
        "", description="What the experiment is about; stands in the report."
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(
        1, description="Seed of all random draws."
    )
    run: RunPart = Field(RunPart(), description="Length of the run and of its intervals.")
    farm: FarmPart = Field(description="The hosts.")
    workload: WorkloadPart = Field(description="The VMs and what they ask for.")
    policies: PolicyPart = Field(PolicyPart(), description="Who decides what.")
    migration: Annotated[
        MigrationModel, Named("model", "migration model", lambda: MIGRATION_MODELS)
    ] = Field(FixedRate(), description="What moving a running VM takes.")
    service: ServicePart = Field(ServicePart(), description="What counts as a violation.")
    cost: CostPart = Field(CostPart(), description="Prices.")
    baseline: Baseline = Field(
        Dedicated(type="dedicated"), description="What the savings are measured against."
    )
    assertions: dict[str, str] = Field(
        {},
        alias="assert",
        description="Metrics and what they must satisfy; a run that fails ends with code 1.",
        examples=[{"energy_kwh": "< 300", "slatah": "<= 0.05"}],
    )
    variants: dict[RunName, dict[str, Any]] = Field(
        {},
        description="Named changes that `farmsim compare` runs side by side: dotted path and "
        "value; differences are against the variant `base`, or else the first.",
        examples=[{"base": {}, "larger": {"farm.hosts.0.count": 12}}],
    )

    @field_validator("assertions")
    @classmethod
    def _conditions(cls, conditions: dict[str, str]) -> dict[str, str]:
        try:
            check_conditions(conditions)
        except ValueError as error:
            raise problem(str(error)) from None
        return conditions

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        wanted = self.cost.currency
        amounts: list[tuple[str, Money | None]] = [
            ("cost.energy_price", self.cost.energy_price),
            ("cost.server_price", self.cost.server_price),
            ("cost.investment", self.cost.investment),
        ]
        amounts += [(f"price of group {group.name}", group.price) for group in self.farm.hosts]
        if isinstance(self.baseline, Dedicated):
            amounts.append(("baseline.price", self.baseline.price))
        for what, money in amounts:
            if money is not None and money.currency != wanted:
                raise problem(
                    f"{what} is in {money.currency}, cost.currency is {wanted}; "
                    "write all amounts in one currency"
                )
            if money is not None and money.amount < 0:
                raise problem(f"{what} is negative; write an amount of 0 or more")
        return self
