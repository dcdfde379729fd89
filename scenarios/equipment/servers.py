"""A server: the name of one of the catalogue, or one written out."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from ...models.hardware.power_curves import POWER_MODELS
from ..language.choices import ChoiceField
from ..language.fields import Part
from ..language.value_types import Cores, Mebibytes, Megahertz


class InlineServer(Part):
    """A server that is not in the catalogue.

    Write it in place of a catalogue name where a server is planned or was measured by you. It needs
    cores, clock, memory and a power model, because nothing of them can be guessed; absent,
    `sockets` is 1. An example: `{cores: 32, sockets: 2, clock: 2.5 GHz, memory: 256 GiB, power:
    {model: linear, idle: 120 W, max: 400 W}}`.

    Its generation is unknown: hardware assistance is what `assists` of the group lists, and threads
    per core are what `smt_gain` implies.
    """

    cores: Cores = Field(description="Physical cores in total.")
    sockets: Cores = Field(1, description="Number of sockets; each is a NUMA node.")
    clock: Megahertz = Field(description="Nominal clock of a core.")
    memory: Mebibytes = Field(description="Memory installed.")
    power: Annotated[Any, ChoiceField("model", "power model", lambda: POWER_MODELS)] = Field(
        description="Power by utilisation."
    )
    ssj_ops: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] | None = Field(
        None,
        description="Operations per second at full load of SPECpower_ssj2008, from which its work "
        "per MHz follows where other servers are compared with it; a run does not use it.",
        examples=[1431682],
    )


def _server_tag(written: Any) -> str:
    """Tell a server written out from the name of one."""
    return "inline" if isinstance(written, dict | InlineServer) else "catalogue"


ServerField = Annotated[
    Annotated[str, Tag("catalogue")] | Annotated[InlineServer, Tag("inline")],
    Discriminator(_server_tag),
]
