"""The hosts of a scenario: groups of like hosts, their servers, hypervisors and sleep states.

A group is checked here as far as it can be without the catalogue of hypervisors; the rest is in
``checks/host_groups.py``.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from ...models.hardware.cpu_features import ASSISTS, CPU_BASELINES
from ...models.hardware.power_curves import POWER_MODELS
from ...models.hardware.server import servers
from ...models.hardware.sleep_states import SLEEP_STATES
from ...models.hypervisor.profiles import derive, profiles
from ..errors.suggest import unknown_name
from ..language.choices import ChoiceField, migration_model
from ..language.fields import MoneyField, Part, QuantityField, problem, problems
from ..language.units import Money
from ..language.value_types import Cores, Count, Factor, Mebibytes, Megahertz, Name, Seconds, Watts

MAX_HOSTS = 2_000_000


class Switching(Part):
    """How long a host takes to come up or to go to rest, and the power it draws meanwhile.

    Absent, a host boots in 260 s (Gandhi et al. 2012) and shuts down in 60 s; sleep states have the
    figures of docs/power.md. An example for a faster server: `{duration: 90 s, power: 120 W}`.

    A host that is switching serves no VM, and the energy of the switch is counted like any other.
    """

    duration: Seconds = Field(description="How long it takes; 0 s switches at once.")
    power: Watts | None = Field(
        None, description="Power meanwhile; if absent, full power to come up, idle power to stop."
    )


class SleepPart(Part):
    """A state of rest besides off; what is absent is as in docs/power.md.

    Deeper states draw less and take longer to leave, so that a policy that sleeps hosts too often
    pays for it. An example, suspend to RAM with measured figures: `{state: suspend_to_ram, power: 9
    W, exit: {duration: 10 s}}`.
    """

    state: Literal[SLEEP_STATES[1:]] = Field(  # type: ignore[valid-type]
        description="Which state it is."
    )
    power: Watts | None = Field(None, description="Power in the state.")
    entry: Switching | None = Field(None, description="The way into the state.")
    exit: Switching | None = Field(None, description="The way out of the state.")


def check_states(states: tuple[SleepPart, ...] | None) -> tuple[SleepPart, ...] | None:
    """Return the states of a group if each stands there once.

    The states are returned unchanged, None included, which stands for all states. Raises the error
    of a field (see `problem`) at `farm.hosts.N.sleep` for the first name that is there twice.
    """
    names = [each.state for each in states or ()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise problem(f"{twice[0]} stands there twice; describe each state of rest once")
    return states


def states_of(group: Any) -> tuple[str, ...]:
    """Return the sleep states besides off that hosts of a group have.

    ``group`` is a HostGroup. Without ``sleep`` it has every state of SLEEP_STATES; with an empty
    list it has none and can only be switched off.
    """
    if group.sleep is None:
        return SLEEP_STATES[1:]
    return tuple(each.state for each in group.sleep)


class InlineServer(Part):
    """A server that the catalogue does not have.

    Write it in place of a catalogue name where a server is planned or was measured by you. It needs
    cores, clock, memory and a power model, because nothing of them can be guessed; absent,
    `sockets` is 1. An example: `{cores: 32, sockets: 2, clock: 2.5 GHz, memory: 256 GiB, power:
    {model: linear, idle: 120 W, max: 400 W}}`.

    Its generation is unknown: hardware assistance is what `assists` of the group lists, and threads
    per core are what `smt_gain` implies.
    """

    cores: Cores = Field(description="Physical cores in all.")
    sockets: Cores = Field(1, description="Sockets that the cores are on; each is a NUMA node.")
    clock: Megahertz = Field(description="Nominal clock of a core.")
    memory: Mebibytes = Field(description="Memory installed.")
    power: Annotated[Any, ChoiceField("model", "power model", lambda: POWER_MODELS)] = Field(
        description="Power by utilisation."
    )


def _known_hypervisor(name: str) -> str:
    """Refuse a hypervisor that the catalogue does not have."""
    if name not in profiles():
        raise problem(unknown_name("hypervisor", name, profiles()))
    return name


class InlineHypervisor(Part):
    """A hypervisor of the catalogue with figures of your own.

    Use it to put figures of your own measurements in place of the published ones, and to see what
    an estimate is worth. Figures that are not named stay those of the profile. A single number
    stands for low, typical and high at once; three numbers keep the range that `overheads` and
    `farmsim compare --band` choose from.
    """

    based_on: Annotated[str, AfterValidator(_known_hypervisor)] = Field(
        description="The profile that it starts from."
    )
    change: dict[str, Any] = Field(
        {},
        description="What differs, as `farmsim catalog hypervisors NAME` shows it: figures as "
        "numbers or as low, typical and high.",
        examples=[{"cpu": {"plain": 0.97}, "memory": {"hypervisor_mib": 800}}],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse figures that the profile does not have or that cannot be.

        The error points to the figure below ``change`` where the profile names it. ``base`` and
        ``name`` belong to farmsim: the first is ``based_on``, the second is made of it.
        """
        name = f"own {self.based_on}"
        for key in ("base", "name"):
            if key in self.change:
                raise problems([(("change", key), "is set by farmsim; leave it out")])
        try:
            derive(profiles()[self.based_on], name, **self.change)
        except (TypeError, ValueError) as error:
            path, _, message = str(error).partition(": ")
            steps = path.split(".")[1:] if message and path.startswith(name) else []
            raise problems([(("change", *steps), message or str(error))]) from None
        return self


def _hypervisor_tag(written: Any) -> str:
    """Tell a hypervisor with figures of one's own from the name of one."""
    return "inline" if isinstance(written, dict | InlineHypervisor) else "catalogue"


HypervisorField = Annotated[
    Annotated[str, AfterValidator(_known_hypervisor), Tag("catalogue")]
    | Annotated[InlineHypervisor, Tag("inline")],
    Discriminator(_hypervisor_tag),
]
PathField = Literal["emulated", "paravirtual", "passthrough"] | None


def _server_tag(written: Any) -> str:
    """Tell a server written out from the name of one."""
    return "inline" if isinstance(written, dict | InlineServer) else "catalogue"


ServerField = Annotated[
    Annotated[str, Tag("catalogue")] | Annotated[InlineServer, Tag("inline")],
    Discriminator(_server_tag),
]


class HostGroup(Part):
    """Hosts that are alike.

    A farm of one kind of server has one group; a farm that grew has one for each generation, site
    or tenant. Only `name`, `server` and `count` are needed: `{name: rack, server: dell_r740_8280,
    count: 40}`. All else has the default that is stated with it, so that a first run needs no
    measurements; figures that decide (power, boot, hypervisor) are worth replacing by your own.

    Hosts are called after their group and number, `rack-1` to `rack-40`; rules, failures and
    results use these names.
    """

    FORMER_FIELDS: ClassVar = {"passthrough_moves": "passthrough_migration"}

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
    power: Annotated[Any, ChoiceField("model", "power model", lambda: POWER_MODELS)] = Field(
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
    sleep: Annotated[tuple[SleepPart, ...] | None, AfterValidator(check_states)] = Field(
        None,
        description="States of rest besides off; absent: all, with the figures of docs/power.md.",
        examples=[[{"state": "suspend_to_ram", "power": "9 W"}]],
    )
    price: Annotated[Money | None, MoneyField()] = Field(
        None, description="Price of one host, if not `cost.server_price`."
    )
    licence: Annotated[Money | None, MoneyField()] = Field(
        None,
        description="Price of the hypervisor's licence per host and year; absent: the catalogue's, "
        "by core, socket or VM, if in the scenario's currency; else costs are told as without it.",
    )
    hypervisor: HypervisorField = Field(
        "ideal",
        description="What lies between hardware and guests (`farmsim catalog hypervisors`); "
        "`ideal` costs nothing and lets VMs share and move.",
        examples=["esxi", "kvm", {"based_on": "kvm", "change": {"cpu": {"plain": 0.97}}}],
    )
    assists: tuple[Literal[*ASSISTS], ...] | None = Field(  # type: ignore[valid-type]
        None, description="Hardware assistance of the server, if not that of its generation."
    )
    smt_gain: Annotated[float, Field(ge=0, le=0.3), QuantityField("share")] = Field(
        0.0, description="What simultaneous multithreading adds to the CPU; 25 to 30 % at most."
    )
    host_applications: Annotated[float, Field(ge=0, le=1), QuantityField("share")] = Field(
        0.0,
        description="CPU that other applications on the host's operating system ask for; only "
        "hosted (type 2) hypervisors allow it.",
    )
    storage_path: PathField = Field(
        None, description="How guests reach storage, if not the hypervisor's usual way."
    )
    network_path: PathField = Field(
        None, description="How guests reach the network, if not the hypervisor's usual way."
    )
    storage_iops: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Storage operations per second that the device can do; absent: no limit."
    )
    network: Annotated[float, Field(gt=0), QuantityField("bandwidth")] | None = Field(
        None, description="Bandwidth of the host's network; absent: no limit."
    )
    memory_overcommit: Annotated[Factor, Field(ge=1, le=4)] = Field(
        1.0,
        description="Memory that may be promised to VMs per memory there is; beyond what sharing "
        "and ballooning give back, guests are swapped and slow down.",
    )
    tenant: Name | None = Field(
        None, description="The tenant that these hosts are dedicated to; absent: shared."
    )
    site: Name | None = Field(
        None, description="Site where the hosts stand; absent: one that all such hosts share."
    )
    migration: Annotated[Any, migration_model()] = Field(
        None, description="How VMs leave these hosts, if not by the `migration` of the scenario."
    )
    cpu_baseline: Literal[*CPU_BASELINES] | None = Field(  # type: ignore[valid-type]
        None,
        description="Level of CPU features that guests see here; running VMs move to the same "
        "level or a higher one of the vendor. Absent: the same everywhere.",
    )
    passthrough_migration: Literal["refuse", "detach"] = Field(
        "refuse",
        description="Whether VMs whose `network_path` is passthrough stay, or have the device "
        "detached before a move.",
    )

    @field_validator("server")
    @classmethod
    def _known_server(cls, server: str | InlineServer) -> str | InlineServer:
        """Refuse a server that the catalogue does not have."""
        if isinstance(server, str) and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server


class FarmPart(Part):
    """The hosts.

    The farm is the hosts that you own or plan, all of one kind or in several groups. How many of
    them are needed is what a run finds out: hosts that policies never switch on cost capital only
    with `hosts_paid: owned`.
    """

    hosts: tuple[HostGroup, ...] = Field(min_length=1, description="Groups of like hosts.")
    order: Literal["grouped", "interleaved"] = Field(
        "grouped",
        description="Whether hosts are numbered group after group, or one of each in turn; "
        "first fit and ties between hosts follow the numbers.",
    )
    hosts_per_rack: Count | None = Field(
        None,
        description="Hosts that fill a rack, in the order of the farm; absent: as the network's "
        "layout says, or 40.",
    )

    @field_validator("hosts")
    @classmethod
    def _names_differ(cls, hosts: tuple[HostGroup, ...]) -> tuple[HostGroup, ...]:
        """Refuse two groups of one name."""
        names = [group.name for group in hosts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise problem(f"two groups are called {twice[0]!r}; give each its own name")
        return hosts
