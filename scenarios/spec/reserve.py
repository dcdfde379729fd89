"""What is kept free for hosts that fail, as a scenario writes it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..language.fields import Part, QuantityField, problem
from ..language.value_types import Count
from .constraints import HostPatterns

KeptShare = Annotated[float, Field(ge=0, lt=1), QuantityField("share")]


class FailingHosts(Part):
    """As many hosts may fail at once, and what they hold fits on the others (N+1, N+2)."""

    kind: Literal["hosts"]
    hosts: Count = Field(1, description="Hosts that may fail at once.")
    check: Literal["sum", "packing"] = Field(
        "packing",
        description="`packing`: the VMs of every set of so many hosts restart on paper as they "
        "would in the run, within all rules; `sum`: memory and CPU in all, and the largest VM of "
        "each host by itself, which is quick and no proof.",
    )


class FreeShare(Part):
    """A part of all memory and CPU of the hosts that are awake stays free."""

    kind: Literal["share"]
    memory: KeptShare = Field(0.25, description="Part of the memory.")
    cpu: KeptShare = Field(
        0.25, description="Part of the CPU, counted as the initial placement counts it."
    )

    @model_validator(mode="after")
    def _keeps_something(self) -> "FreeShare":
        if not (self.memory or self.cpu):
            raise problem("keeps nothing free; give memory or cpu a share, or leave reserve out")
        return self


class StandbyHosts(Part):
    """Hosts that stay awake and empty until others fail."""

    kind: Literal["dedicated"]
    hosts: HostPatterns


ReserveField = Annotated[FailingHosts | FreeShare | StandbyHosts, Field(discriminator="kind")]
