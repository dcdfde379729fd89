"""Rules of placement, as a scenario writes them."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from ..language.fields import OneOf, Part, problem
from ..language.value_types import Count, Megahertz, Name, Weight

Patterns = Annotated[tuple[Name, ...], Field(min_length=1)]
HostPatterns: TypeAlias = Annotated[
    Patterns,
    Field(description="Names of hosts or shell patterns, e.g. rack-3*.", examples=[["east-*"]]),
]
LEVEL = "Domain of the rule: a host, a rack or a site."


class _Rule(Part):
    """What all rules have in common: a name, the VMs, and a penalty if the rule is a soft one.

    The VMs are those of the names, the sizes, the tenants and the groups together. A hard rule
    (without a penalty) is never broken by a policy, and a scenario whose rules contradict one
    another is refused before the run; broken soft rules are counted in the result.
    """

    FORMER_FIELDS: ClassVar = {"price": "penalty"}

    name: Name = Field(
        description="Name of the rule, used in error messages, tables and the report."
    )
    vms: tuple[Name, ...] = Field(
        (), description="Names of VMs or shell patterns, e.g. db-*.", examples=[["vm-1", "db-*"]]
    )
    sizes: tuple[Name, ...] = Field((), description="In addition, all VMs of these sizes.")
    tenants: tuple[Name, ...] = Field((), description="In addition, all VMs of these tenants.")
    groups: tuple[Name, ...] = Field(
        (),
        description="In addition, all VMs of these groups: the column `group` of "
        "`workload.vms_file`.",
    )
    penalty: Weight | None = Field(
        None,
        description="Penalty of a VM placed against the rule, in a unit common to all rules; "
        "makes the rule soft. If omitted, the rule is hard and never broken.",
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> "_Rule":
        """Refuse a rule that names no VM."""
        if not (self.vms or self.sizes or self.tenants or self.groups):
            raise problem("applies to no VM; set vms, sizes, tenants or groups")
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
    """At most a given number of the VMs share a rack (or a host, or a site).

    Weaker than `apart`: with more VMs than racks, some share one up to the number. An example:
    `{type: spread, name: web, vms: [web-*], at_most: 2}`.
    """

    type: Literal["spread"]
    domain: Literal["host", "rack", "site"] = Field("rack", description=LEVEL)
    at_most: Count = Field(1, description="Maximum number of VMs of the rule per domain.")


class Fence(_Rule):
    """The VMs run only on these hosts.

    Use it for licences that are paid by host, or for data that must stay at a site. An example:
    `{type: fence, name: oracle, vms: [ora-*], hosts: [ora-host-*]}`.
    """

    type: Literal["fence"]
    hosts: HostPatterns


class Ban(_Rule):
    """The VMs do not run on these hosts.

    Use it to keep VMs away from hosts that are old or about to be replaced. An example: `{type:
    ban, name: retire, sizes: [large], hosts: [old-*]}`.
    """

    type: Literal["ban"]
    hosts: HostPatterns


class Lonely(_Rule):
    """The VMs share hosts only with each other.

    Other VMs may not be on a host that has one of them, whichever host that is. An example: `{type:
    lonely, name: audit, tenants: [bank]}`.
    """

    type: Literal["lonely"]


class Preserve(_Rule):
    """Each VM is guaranteed this CPU: no host guarantees more than it has.

    CPU that the rule keeps counts as promised even while the VM asks for less. An example: `{type:
    preserve, name: gold, sizes: [gold], cpu: 2 GHz}`.
    """

    type: Literal["preserve"]
    cpu: Megahertz = Field(description="CPU guaranteed to each VM.")


class DedicatedHosts(_Rule):
    """The hosts accept only these VMs.

    The VMs may run elsewhere as well; add a `fence` if they must not. An example: `{type:
    dedicated, name: dmz, vms: [proxy-*], hosts: [dmz-*]}`.
    """

    type: Literal["dedicated"]
    hosts: HostPatterns


Constraint = Together | Apart | Spread | Fence | Ban | Lonely | Preserve | DedicatedHosts
ConstraintField = Annotated[Constraint, OneOf("type")]
