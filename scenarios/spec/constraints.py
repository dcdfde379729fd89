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
    """What all rules have in common: a name, the VMs, and a penalty if the rule is a soft one.

    The VMs are those of the names, the sizes and the tenants together. A hard rule (without a
    penalty) is never broken by a policy, and a scenario whose rules contradict one another is
    refused before the run; broken soft rules are counted in the result.
    """

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
    """The VMs share a host (or a rack, or a site).

    Use it for VMs that exchange much data. They have to fit into one domain all at once. An
    example: `{type: together, name: shop, vms: [shop-*]}`.
    """

    type: Literal["together"]
    domain: Literal["host", "rack", "site"] = Field("host", description=LEVEL)


class Apart(_Rule):
    """No two of the VMs share a host (or a rack, or a site).

    Use it for replicas, of which one failure must not take two. It needs as many domains as there
    are VMs. An example: `{type: apart, name: db, vms: [db-1, db-2], domain: rack}`.
    """

    type: Literal["apart"]
    domain: Literal["host", "rack", "site"] = Field("host", description=LEVEL)


class Spread(_Rule):
    """Of the VMs at most so many share a rack (or a host, or a site).

    Weaker than `apart`: with more VMs than racks, some share one up to the number. An example:
    `{type: spread, name: web, vms: [web-*], at_most: 2}`.
    """

    type: Literal["spread"]
    domain: Literal["host", "rack", "site"] = Field("rack", description=LEVEL)
    at_most: Count = Field(1, description="VMs of the rule that one domain takes.")


class Fence(_Rule):
    """The VMs are only on the hosts.

    Use it for licences that are paid by host, or for data that must stay at a site. An example:
    `{type: fence, name: oracle, vms: [ora-*], hosts: [ora-host-*]}`.
    """

    type: Literal["fence"]
    hosts: HostPatterns


class Ban(_Rule):
    """The VMs are on none of the hosts.

    Use it to keep VMs away from hosts that are old or about to be replaced. An example: `{type:
    ban, name: retire, sizes: [large], hosts: [old-*]}`.
    """

    type: Literal["ban"]
    hosts: HostPatterns


class Lonely(_Rule):
    """The VMs share hosts with one another only.

    Other VMs may not be on a host that has one of them, whichever host that is. An example: `{type:
    lonely, name: audit, tenants: [bank]}`.
    """

    type: Literal["lonely"]


class Preserve(_Rule):
    """The VMs get at least so much CPU each: no host promises more than it has.

    CPU that the rule keeps counts as promised even while the VM asks for less. An example: `{type:
    preserve, name: gold, sizes: [gold], cpu: 2 GHz}`.
    """

    type: Literal["preserve"]
    cpu: Megahertz = Field(description="CPU that is kept for each VM.")


class DedicatedHosts(_Rule):
    """The hosts take only the VMs.

    The VMs may run elsewhere as well; add a `fence` if they must not. An example: `{type:
    dedicated, name: dmz, vms: [proxy-*], hosts: [dmz-*]}`.
    """

    type: Literal["dedicated"]
    hosts: HostPatterns


Constraint = Together | Apart | Spread | Fence | Ban | Lonely | Preserve | DedicatedHosts
ConstraintField = Annotated[Constraint, Field(discriminator="type")]
