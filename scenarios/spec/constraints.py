"""Rules of placement, as a scenario writes them."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from ..language.fields import Part, problem
from ..language.value_types import Count, Megahertz, Name, Weight

Patterns = Annotated[tuple[Name, ...], Field(min_length=1)]
HostPatterns: TypeAlias = Annotated[
    Patterns,
    Field(description="Names of hosts; patterns as in a shell: rack-3*.", examples=[["east-*"]]),
]
LEVEL = "What is shared: a host, a rack or a site."


class _Rule(Part):
    """What all rules have in common: a name, the VMs, and a penalty if the rule is a soft one."""

    FORMER_FIELDS: ClassVar = {"price": "penalty"}

    name: Name = Field(description="Name of the rule; refusals, tables and report use it.")
    vms: tuple[Name, ...] = Field(
        (), description="Names of VMs; patterns as in a shell: db-*.", examples=[["vm-1", "db-*"]]
    )
    sizes: tuple[Name, ...] = Field((), description="All VMs of these sizes as well.")
    tenants: tuple[Name, ...] = Field((), description="All VMs of these tenants as well.")
    penalty: Weight | None = Field(
        None,
        description="Makes the rule a soft one: what a VM that is placed against it counts, in a "
        "unit that all rules share; absent: the rule is hard, and nothing breaks it.",
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> "_Rule":
        """Refuse a rule that names no VM."""
        if not (self.vms or self.sizes or self.tenants):
            raise problem("names no VM; give names under vms, or sizes, or tenants")
        return self


class Together(_Rule):
    """The VMs share a host (or a rack, or a site)."""

    type: Literal["together"]
    domain: Literal["host", "rack", "site"] = Field("host", description=LEVEL)


class Apart(_Rule):
    """No two of the VMs share a host (or a rack, or a site)."""

    type: Literal["apart"]
    domain: Literal["host", "rack", "site"] = Field("host", description=LEVEL)


class Spread(_Rule):
    """Of the VMs at most so many share a rack (or a host, or a site)."""

    type: Literal["spread"]
    domain: Literal["host", "rack", "site"] = Field("rack", description=LEVEL)
    at_most: Count = Field(1, description="VMs of the rule that one domain takes.")


class Fence(_Rule):
    """The VMs are only on the hosts."""

    type: Literal["fence"]
    hosts: HostPatterns


class Ban(_Rule):
    """The VMs are on none of the hosts."""

    type: Literal["ban"]
    hosts: HostPatterns


class Lonely(_Rule):
    """The VMs share hosts with one another only."""

    type: Literal["lonely"]


class Preserve(_Rule):
    """The VMs get at least so much CPU each: no host promises more than it has."""

    type: Literal["preserve"]
    cpu: Megahertz = Field(description="CPU that is kept for each VM.")


class DedicatedHosts(_Rule):
    """The hosts take only the VMs."""

    type: Literal["dedicated"]
    hosts: HostPatterns


Constraint = Together | Apart | Spread | Fence | Ban | Lonely | Preserve | DedicatedHosts
ConstraintField = Annotated[Constraint, Field(discriminator="type")]
