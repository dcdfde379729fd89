"""The network that moves use, as a scenario describes it."""

from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from ...models.network.transport import Transport
from ..language.choices import ParametersField
from ..language.fields import OneOf, Part, QuantityField, problem, problems
from ..language.value_types import Count, Name, Whole

Bandwidth = Annotated[float, Field(gt=0), QuantityField("bandwidth")]
Latency = Annotated[float, Field(gt=0), QuantityField("time")]
UPLINK_MBPS = 100_000.0
"""Bandwidth between switches: 100GbE, which has replaced 40GbE there (IHS Markit 2017)."""

PORT_MBPS = 10_000.0
"""Bandwidth of a host's port: 10GbE, what VMware advises for vMotion at the least (vSphere 7.0)."""

InUse = Annotated[float, Field(ge=0, lt=1), QuantityField("share")]


class _Switched(Part):
    """What hosts at switches have in common: the bandwidth of ports, the latency of links."""

    port: Bandwidth = Field(PORT_MBPS, description="Bandwidth of a host's port.")
    latency: Latency = Field(1e-4, description="Latency of each link, one way.")


class SingleSwitch(_Switched):
    """All hosts at one switch that is never a bottleneck.

    The layout of a scenario that names none. A migration is limited by the ports of the two hosts
    only, so that it suits one rack, or a farm whose network is known to be ample: `{topology:
    single_switch, port: 25 Gbit/s}`.
    """

    topology: Literal["single_switch"]


class TwoTier(_Switched):
    """Racks of hosts; each rack's switch has one uplink to a core switch.

    Migrations within a rack use its switch alone; migrations between racks share the uplinks. With
    40 hosts of 10 Gbit/s below an uplink of 100 Gbit/s the rack is oversubscribed four times. An
    example: `{topology: two_tier, hosts_per_rack: 20, uplink: 40 Gbit/s}`.
    """

    topology: Literal["two_tier"]
    hosts_per_rack: Count = Field(40, description="Hosts per rack, in the order of the farm.")
    uplink: Bandwidth = Field(UPLINK_MBPS, description="Bandwidth of a rack's uplink.")


class LeafSpine(_Switched):
    """Leaf switches, each linked to every spine switch.

    Every leaf reaches every other over each of the spines: with 40 ports of 10 Gbit/s and 4 uplinks
    of 100 Gbit/s there is none. An example: `{topology: leaf_spine, hosts_per_leaf: 32, spines:
    2}`.
    """

    topology: Literal["leaf_spine"]
    hosts_per_leaf: Count = Field(
        40, description="Hosts per leaf switch, in the order of the farm."
    )
    spines: Annotated[int, Field(strict=True, ge=1, le=4096)] = Field(
        4, description="Number of spine switches."
    )
    uplink: Bandwidth = Field(UPLINK_MBPS, description="Bandwidth of a link from leaf to spine.")


class FatTree(_Switched):
    """A fat tree of equal switches (Al-Fares et al. 2008).

    A tree of switches with k ports holds k³/4 hosts and gives every pair full bandwidth. With
    `ports: 16` it holds 1,024 hosts; a farm that is larger is refused.
    """

    topology: Literal["fat_tree"]
    ports: Annotated[int, Field(strict=True, ge=4, le=256)] | None = Field(
        None,
        description="Ports per switch, an even number; default: the smallest that connects "
        "all hosts.",
    )


class Link(Part):
    """A link of a graph.

    Links are symmetric: each direction has the bandwidth for itself. An example: `{between:
    [host-1, switch-a], bandwidth: 10 Gbit/s}`.
    """

    between: tuple[Name, ...] = Field(
        min_length=2, max_length=2, description="The two ends: names of hosts or switches."
    )
    bandwidth: Bandwidth = Field(description="Bandwidth of each direction.")
    latency: Latency = Field(1e-4, description="Latency, one way.")


class Graph(Part):
    """An explicit graph of switches, hosts and links; hosts by their names in the farm.

    Use it where none of the regular layouts fits. A name that is no host of the farm is a switch.
    """

    topology: Literal["graph"]
    links: tuple[Link, ...] = Field(min_length=1, description="All links.")


class Site(_Switched):
    """Hosts at one site, all at its switch or in racks with an uplink to it.

    Racks, failures of a whole site and rules with `domain: site` refer to it. Hosts come by
    `groups` or by their number, the same way for every site. An example: `{name: north, groups:
    [new], hosts_per_rack: 20}`.
    """

    name: Name = Field(description="Name of the site; lines refer to it.")
    groups: tuple[Name, ...] | None = Field(
        None, min_length=1, description="Host groups at the site."
    )
    hosts: Count | None = Field(
        None,
        description="Number of hosts at the site, in the order of the farm; set either this or "
        "groups for all sites.",
    )
    hosts_per_rack: Count | None = Field(
        None, description="Hosts per rack; default: no racks, all hosts at one switch."
    )
    uplink: Bandwidth | None = Field(
        None, description="Bandwidth of a rack's uplink; default: 100 Gbit/s."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse a site without hosts, or with groups as well as a number of hosts."""
        if (self.groups is None) == (self.hosts is None):
            raise problem("set either groups or hosts (a number)")
        if self.uplink is not None and self.hosts_per_rack is None:
            message = "the site has no racks; set hosts_per_rack, or remove this"
            raise problems([(("uplink",), message)])
        return self


class Line(Part):
    """A line between two sites.

    Migrations between the sites share its bandwidth, and its latency limits the rate of a transport
    with a TCP window. An example, 100 km of fibre: `{between: [north, south], bandwidth: 10 Gbit/s,
    latency: 0.5 ms}`.
    """

    between: tuple[Name, ...] = Field(
        min_length=2, max_length=2, description="The two sites that it joins."
    )
    bandwidth: Bandwidth = Field(description="Bandwidth of each direction.")
    latency: Latency = Field(
        1e-3, description="Latency, one way; light takes 5 ms for 1000 km of fibre."
    )


class Sites(Part):
    """Several sites joined by lines; routes may pass through a site.

    Use it to see what a second site costs and protects. Two sites are joined by at most one line,
    which stands for their joint bandwidth.
    """

    topology: Literal["sites"]
    sites: tuple[Site, ...] = Field(min_length=2, description="The sites.")
    lines: tuple[Line, ...] = Field(min_length=1, description="Lines between the sites.")


Topology: TypeAlias = SingleSwitch | TwoTier | LeafSpine | FatTree | Graph | Sites
TopologyField = Annotated[Topology, OneOf("topology")]


ONE_SWITCH = SingleSwitch.model_construct(topology="single_switch")
"""The network of a scenario that lays out none."""

MIGRATIONS_PER_HOST = 2
"""Moves over a network that a host takes part in at a time where a scenario does not say."""


def _transport_tag(written: Any) -> str:
    """Tell figures of transport written out from the name of a preset."""
    return "own" if isinstance(written, dict | Transport) else "preset"


TransportField = Annotated[
    Annotated[Literal["plain", "lv08", "cm02"], Tag("preset")]
    | Annotated[Transport, ParametersField(Transport), Tag("own")],
    Discriminator(_transport_tag),
]


class NetworkPart(Part):
    """The migration network; fixed-rate migrations use it only if any of its fields is set.

    If it is absent, migrations at a fixed rate (the default model) use no network and none waits
    for another; models that copy memory use one switch with ports of 10 Gbit/s. An example that
    limits what a round of migrations takes: `{background: 20 %, max_migrations_per_host: 4}`.
    """

    FORMER_FIELDS: ClassVar = {
        "moves_per_host": "max_migrations_per_host",
        "moves_in_all": "max_migrations",
        "moves_per_link": "max_migrations_per_link",
        "order": "migration_order",
    }

    layout: TopologyField | None = Field(
        None,
        description="Switches, links and the position of hosts; default: all hosts at one switch "
        "with ports of 10 Gbit/s.",
    )
    transport: TransportField = Field(
        "plain",
        description="Transport model: latency once and full bandwidth (`plain`), the factors and "
        "TCP window of SimGrid's LV08 or CM02, or your own figures.",
        examples=["plain", "lv08", {"latency_factor": 1.5, "tcp_window": "1 MiB"}],
    )
    background: InUse = Field(
        0.0,
        description="Share of every link used by other traffic; 0 %: a dedicated migration "
        "network.",
    )
    max_migrations_per_host: Count | None = Field(
        None,
        description="Maximum concurrent migrations per host, for all models; others wait. "
        "Default: 2; migrations at a fixed rate without a network are unlimited.",
    )
    max_migrations: Whole = Field(
        0, description="Maximum concurrent migrations in the farm; 0: unlimited."
    )
    max_migrations_per_link: Whole = Field(
        0, description="Maximum concurrent migrations per link direction; 0: unlimited."
    )
    suspend_bandwidth: Bandwidth = Field(
        4_000.0,
        description="Bandwidth at which a VM's memory is written to and read from storage when "
        "migrations that wait for each other's memory can only be resolved by "
        "suspending the VM. Estimate: 500 MB/s; SATA 3.0 carries 600 MB/s.",
    )
    migration_order: Literal["parallel", "serial", "planned"] = Field(
        "parallel",
        description="`parallel`: as many migrations as the limits allow; `serial`: one after "
        "another; `planned`: only migrations that share no bottleneck with running "
        "ones, the longest first.",
    )

    @property
    def topology(self) -> Topology:
        """What is laid out, or one switch."""
        return self.layout or ONE_SWITCH

    @property
    def stated(self) -> bool:
        """Whether any field is set, so that migrations at a fixed rate also use the network.

        A layout, a limit on migrations, background traffic, another transport or another order each
        count as such; ``suspend_bandwidth`` alone does not.
        """
        places = (
            self.max_migrations_per_host is not None
            or self.max_migrations
            or self.max_migrations_per_link
        )
        bytes_ = self.background > 0 or self.transport != "plain"
        return bool(
            self.layout is not None or places or bytes_ or self.migration_order != "parallel"
        )
