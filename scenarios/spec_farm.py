"""The hosts of a scenario."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from ..models.catalogue import servers
from ..models.power import POWER_MODELS
from .fields import Amount, Named, Part, problem
from .kinds import Count, Mebibytes, Megahertz, Name, Seconds, Watts
from .suggest import unknown_name
from .units import Money

MAX_HOSTS = 2_000_000


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
