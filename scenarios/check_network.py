"""What is wrong with a network or an evacuation, given the names of all hosts."""

from collections.abc import Iterator

import numpy as np

from ..models.migration import FixedRate
from ..policies.evacuation import Evacuation
from .build_farm import HostNames, numbering
from .fields import Fault
from .spec import Spec
from .spec_network import FatTree, Graph
from .suggest import unknown_name


def faults_of_network(spec: Spec) -> Iterator[Fault]:
    """Yield what does not go together between hosts, network and evacuation."""
    layout, control = spec.network.layout, spec.policies.control
    if isinstance(control, Evacuation):
        names = host_names(spec)
        if not any(control.names(name) for name in names):
            place = ("policies", "control", "hosts")
            yield place, unknown_name("host", control.hosts, names)
    # The other topologies are right whatever their figures.
    if isinstance(layout, FatTree | Graph) and not isinstance(spec.migration, FixedRate):
        from .build_network import network_of  # noqa: PLC0415 - brings SimPy with it

        try:
            network_of(layout, host_names(spec))
        except ValueError as error:
            yield ("network", "layout"), str(error)


def host_names(spec: Spec) -> list[str]:
    """Return the names of a scenario's hosts, in the order of the farm."""
    counts = np.array([group.count for group in spec.farm.hosts])
    group = numbering(counts, spec.farm.order)
    return HostNames([each.name for each in spec.farm.hosts], group, counts)
