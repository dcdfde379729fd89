"""The hosts of a scenario: groups of like hosts, their servers, hypervisors and sleep states.

A group is checked here as far as it can be without the catalogue of hypervisors; the rest is in
``checks/host_groups.py``.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from ...models.hardware.cpu_features import ASSISTS, CPU_BASELINES
from ...models.hardware.power_curves import POWER_MODELS
from ...models.hardware.server import servers
from ..equipment.hypervisors import HypervisorField, PathField
from ..equipment.servers import InlineServer, ServerField
from ..equipment.sleep import SleepPart, Switching, check_states
from ..errors.suggest import unknown_name
from ..language.choices import ChoiceField, migration_model
from ..language.fields import Fault, MoneyField, Part, QuantityField, problem, problems
from ..language.units import Money
from ..language.value_types import Count, Factor, Mebibytes, Name, Seconds, Watts
from .policies import ReservesField

MAX_HOSTS = 2_000_000


class Ceilings(Part):
    """Shares of a host that placement fills at most.

    Initial placement, targets of migrations and restarts keep below them; VMs that are recorded on
    a host, or whose demand grows there, may be above. They are limits of planning: capacity and
    utilisation stay those of the host. An example: `{cpu: 75 %, memory: 90 %}`.
    """

    cpu: Annotated[float, Field(gt=0, le=1), QuantityField("share")] = Field(
        1.0,
        description="Share of the CPU, as VMs count in placements: `policies.initial.count_by`.",
    )
    memory: Annotated[float, Field(gt=0, le=1), QuantityField("share")] = Field(
        1.0, description="Share of the memory that the host may allocate to VMs."
    )


class HostGroup(Part):
    """A group of identical hosts.

    A farm of one kind of server has one group; a farm that grew has one for each generation, site
    or tenant. Only `name`, `server` and `count` are needed: `{name: rack, server: dell_r740_8280,
    count: 40}`. All else has the default that is stated with it, so that a first run needs no
    measurements; figures that decide (power, boot, hypervisor) are worth replacing by your own.

    Hosts are called after their group and number, `rack-1` to `rack-40`, unless `names` has the
    names that they have in reality; rules, failures and results use these names.
    """

    FORMER_FIELDS: ClassVar = {"passthrough_moves": "passthrough_migration"}

    name: Name = Field(
        description="Name of the group; its hosts are NAME-1, NAME-2 and so on, unless they have "
        "`names`."
    )
    server: ServerField = Field(
        description="A server of the catalogue (`farmsim catalog servers`), or one described here.",
        examples=["hp_ml110_g5", "dell_r740_8280"],
    )
    names: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = Field(
        None,
        description="Names of the hosts, one for each, unique in the farm; default: made of the "
        "name of the group.",
        examples=[["esx-a1", "esx-a2"]],
    )
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_HOSTS)] = Field(
        None,
        validate_default=True,
        description="Number of hosts; needed unless `names` lists them.",
    )
    memory: Mebibytes | None = Field(
        None, description="Memory of each host; default: that of the catalogue."
    )
    power: Annotated[Any, ChoiceField("model", "power model", lambda: POWER_MODELS)] = Field(
        None, description="Power model; default: the measured curve of the server."
    )
    extra_power: Watts = Field(
        0.0,
        description="Power that a host draws beyond its curve at every load, idle included, while "
        "it is on: memory beyond the measured configuration, disks, adapters. It counts in boots, "
        "shutdowns and sleep states whose power is not given, and not when off.",
        examples=["195 W"],
    )
    performance: Annotated[float, Field(gt=0, le=10, strict=True, allow_inf_nan=False)] = Field(
        1.0,
        description="Work that these hosts do per MHz, against the hosts by whose MHz the load is "
        "stated; their MHz count so many times, for the host and for what one vCPU gets.",
        examples=[1.317],
    )
    off_power: Watts = Field(
        5.0, description="Power when off: the management controller stays on (3 to 12 W)."
    )
    boot: Switching = Field(
        Switching.model_construct(duration=260.0),
        description="Boot time and power; the default is the set-up time of Gandhi et al. (2012).",
    )
    shutdown: Switching = Field(
        Switching.model_construct(duration=60.0), description="Shutdown time and power."
    )
    sleep: Annotated[tuple[SleepPart, ...] | None, AfterValidator(check_states)] = Field(
        None,
        description="Sleep states besides off; default: all, with the figures of docs/power.md.",
        examples=[[{"state": "suspend_to_ram", "power": "9 W"}]],
    )
    price: Annotated[Money | None, MoneyField()] = Field(
        None, description="Price per host; default: `cost.server_price`."
    )
    licence: Annotated[Money | None, MoneyField()] = Field(
        None,
        description="Price of the hypervisor licence per host and year; default: the list price "
        "of the catalogue, per core, socket or VM, if it is in the scenario's "
        "currency; otherwise costs are reported without it.",
    )
    hypervisor: HypervisorField = Field(
        "ideal",
        description="The hypervisor (`farmsim catalog hypervisors`); `ideal` has no overhead and "
        "allows sharing and live migration.",
        examples=["esxi", "kvm", {"based_on": "kvm", "change": {"cpu": {"plain": 0.97}}}],
    )
    assists: tuple[Literal[*ASSISTS], ...] | None = Field(  # type: ignore[valid-type]
        None, description="Hardware assistance of the server; default: that of its generation."
    )
    smt_gain: Annotated[float, Field(ge=0, le=0.3), QuantityField("share")] = Field(
        0.0, description="CPU capacity gained by simultaneous multithreading; 25 to 30 % at most."
    )
    host_applications: Annotated[float, Field(ge=0, le=1), QuantityField("share")] = Field(
        0.0,
        description="CPU used by other applications on the host's operating system; only for "
        "hosted (type 2) hypervisors.",
    )
    storage_path: PathField = Field(
        None, description="Storage path of the guests; default: that of the hypervisor."
    )
    network_path: PathField = Field(
        None, description="Network path of the guests; default: that of the hypervisor."
    )
    storage_iops: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Maximum storage operations per second; default: no limit."
    )
    network: Annotated[float, Field(gt=0), QuantityField("bandwidth")] | None = Field(
        None, description="Bandwidth of the host's network adapter; default: no limit."
    )
    memory_overcommit: Annotated[Factor, Field(ge=1, le=4)] = Field(
        1.0,
        description="Memory that may be allocated to VMs per memory installed; beyond what page "
        "sharing and ballooning reclaim, guests are swapped and slow down.",
    )
    ceilings: Ceilings = Field(
        Ceilings.model_construct(),
        description="Shares of CPU and memory that placement fills at most; default: all.",
    )
    in_service: bool = Field(
        True,
        strict=True,
        description="Whether VMs may be on the hosts; if not, they are closed for maintenance all "
        "the time: off, and drawing `off_power`.",
    )
    tenant: Name | None = Field(
        None, description="The tenant that these hosts are dedicated to; default: shared."
    )
    site: Name | None = Field(
        None, description="Site of the hosts; default: one site common to all groups without one."
    )
    migration: Annotated[Any, migration_model()] = Field(
        None,
        description="Migration model of VMs that leave these hosts; default: `migration` of "
        "the scenario.",
    )
    cpu_baseline: Literal[*CPU_BASELINES] | None = Field(  # type: ignore[valid-type]
        None,
        description="CPU feature level that guests see (EVC); live migration works to the same or "
        "a higher level of the same vendor. If omitted everywhere, all hosts are "
        "compatible.",
    )
    passthrough_migration: Literal["refuse", "detach"] = Field(
        "refuse",
        description="Whether VMs whose `network_path` is passthrough cannot migrate, or have the "
        "device detached before a migration.",
    )

    @field_validator("names")
    @classmethod
    def _hosts_differ(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse a name that two hosts of the group have."""
        twice = [name for name, count in Counter(names or ()).items() if count > 1]
        if twice:
            raise problem(f"{twice[0]!r} is the name of two hosts; make the names unique")
        return names

    @field_validator("count", mode="wrap")
    @classmethod
    def _as_many_as_names(
        cls, written: Any, checked: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> int:
        """Count the names where no count is written, and refuse one that differs from theirs."""
        names = info.data.get("names")
        if written is None:
            if "names" in info.data and names is None:
                raise PydanticKnownError("missing")
            return len(names or "?")
        count: int = checked(written)
        if names is not None and count != len(names):
            raise problem(f"is {count}, but names has {len(names)}; make them equal, or omit one")
        return count

    @field_validator("server")
    @classmethod
    def _known_server(cls, server: str | InlineServer) -> str | InlineServer:
        """Refuse a server that the catalogue does not have."""
        if isinstance(server, str) and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server

    def numbers(self, host: str) -> bool:
        """Whether a host is called so because the group has no names of its own."""
        number = host.removeprefix(f"{self.name}-")
        if self.names is not None or number == host or not number.isdecimal():
            return False
        return 1 <= int(number) <= self.count and len(number) == len(str(self.count))


def _limits_tag(written: Any) -> str:
    """Tell limits by name from one of all racks."""
    return "named" if isinstance(written, Mapping) else "each"


PositiveWatts = Annotated[float, Field(gt=0), QuantityField("power")]
RackLimits = Annotated[
    Annotated[PositiveWatts, Tag("each")]
    | Annotated[dict[Name, PositiveWatts], Field(min_length=1), Tag("named")],
    Discriminator(_limits_tag),
]


class Cluster(Part):
    """A cluster: groups of hosts among which VMs migrate.

    A VM belongs to the cluster that its size (or its row of a table) names. It is placed, migrated
    and restarted only on hosts of that cluster, and on those of the clusters in `migrate_to`. Hosts
    in no cluster are a pool of their own: VMs that name no cluster run there and nowhere else. An
    example: `{name: production, hosts: [new, old], migrate_to: [test]}`.
    """

    name: Name = Field(description="Name of the cluster; VMs and `migrate_to` refer to it.")
    hosts: tuple[Name, ...] = Field(
        min_length=1,
        description="Names of its groups of hosts; a group belongs to one cluster at most.",
    )
    reserve: ReservesField | None = Field(
        None,
        description="Capacity kept free among the hosts of the cluster: one reserve or a list, as "
        "`policies.reserve`; default: none.",
        examples=[{"kind": "hosts", "hosts": 1}],
    )
    migrate_to: tuple[Name, ...] = Field(
        (),
        description="Other clusters whose hosts its VMs may use as well; default: none.",
        examples=[["test"]],
    )


class CalibratePart(Part):
    """One factor on the power curves of all hosts, so that the farm draws what was measured.

    Published curves are of lean systems, so a farm may draw more, or less, than they say. Measure
    the power of all its hosts together at an instant at which load and placement are known, such as
    that of the inventory: `{measured_power: 14.2 kW, at: 0 h}`. The factor is chosen so that hosts
    and VMs as they stand at first, with the load of `at`, draw `measured_power`; it is shown among
    the assumptions of the report. It scales curves with `extra_power`, and transitions whose power
    is not given, but not `off_power`. Measure at the plugs of the servers, without cooling.

    Farms that differ from the measured one, such as proposals with other hosts, take `factor` from
    the run of the measured one: with `measured_power` they would be scaled to draw the same.
    """

    measured_power: Annotated[float, Field(gt=0), QuantityField("power")] | None = Field(
        None, description="Power of all hosts together, as measured.", examples=["14.2 kW"]
    )
    at: Seconds = Field(0.0, description="Time of the run at which it was measured.")
    factor: Annotated[float, Field(gt=0, le=100, strict=True, allow_inf_nan=False)] | None = Field(
        None, description="The factor itself, in place of a measured power.", examples=[1.24]
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        """Refuse both, or none, of a measured power and a factor."""
        if (self.measured_power is None) == (self.factor is None):
            raise problem("give either measured_power or factor")
        if self.factor is not None and self.at > 0:
            raise problems([(("at",), "is the time of measured_power; remove it beside factor")])
        return self


class FarmPart(Part):
    """The hosts.

    The farm is the hosts that you own or plan, all of one kind or in several groups. How many of
    them are needed is what a run finds out: hosts that policies never switch on cost capital only
    with `hosts_paid: owned`.
    """

    hosts: tuple[HostGroup, ...] = Field(min_length=1, description="Groups of identical hosts.")
    order: Literal["grouped", "interleaved"] = Field(
        "grouped",
        description="Whether hosts are numbered group by group or alternating between groups; "
        "first fit and ties follow this order.",
    )
    hosts_per_rack: Count | None = Field(
        None,
        description="Hosts per rack, in the order of the farm; default: as in the network layout, "
        "or 40.",
    )

    rack_power_limit: RackLimits | None = Field(
        None,
        description="Power that a rack may draw, of all racks or by name: no VM is placed, "
        "migrated or restarted where the rack would draw more, and the time above it is reported; "
        "default: no limit.",
        examples=["8 kW", {"rack-1": "8 kW", "rack-2": "12 kW"}],
    )
    clusters: tuple[Cluster, ...] = Field(
        (),
        description="Clusters, each of some groups of hosts; default: none, and VMs may run on all "
        "hosts.",
        examples=[[{"name": "production", "hosts": ["new", "old"]}]],
    )

    calibrate: CalibratePart | None = Field(
        None,
        description="Scale power curves to a measured power; default: curves as they are.",
        examples=[{"measured_power": "14.2 kW", "at": "0 h"}, {"factor": 1.24}],
    )

    @field_validator("hosts")
    @classmethod
    def _names_differ(cls, hosts: tuple[HostGroup, ...]) -> tuple[HostGroup, ...]:
        """Refuse two groups of one name."""
        names = [group.name for group in hosts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise problem(f"two groups are named {twice[0]!r}; make the names unique")
        return hosts

    @field_validator("hosts")
    @classmethod
    def _hosts_differ(cls, hosts: tuple[HostGroup, ...]) -> tuple[HostGroup, ...]:
        """Refuse a name of a host that another group has too, listed or made of its own name."""
        owners: dict[str, str] = {}
        faults: list[Fault] = []
        for index, group in enumerate(hosts):
            for at, name in enumerate(group.names or ()):
                other = owners.setdefault(name, group.name)
                if other == group.name:
                    numbered = (each for each in hosts if each.numbers(name))
                    other = next((each.name for each in numbered), group.name)
                if other != group.name:
                    message = f"{name!r} is a host of group {other} too; make the names unique"
                    faults.append(((index, "names", at), message))
        if faults:
            raise problems(faults)
        return hosts
