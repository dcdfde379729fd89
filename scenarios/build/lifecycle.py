"""Build admission, waiting and provisioning of VMs."""

from dataclasses import replace

import numpy as np

from ...models.hypervisor.overheads import Platform
from ...models.migration.fixed_rate import MEGABIT_PER_MIB
from ...models.workload.application import Applications
from ...sim.lifecycle.setup import Admission, LifecycleSetup, Population
from ..spec.arrivals import ProvisioningPart
from ..spec.spec import Spec
from .workload import Load


def lifecycle_setup(spec: Spec, load: Load, platforms: list[Platform]) -> LifecycleSetup:
    """Return arrivals, admission and the durations of starts per group of hosts.

    A first start makes the VM (by template or clone) and boots it, a later one only boots it; both
    take no time for VMs that run at once. Times are in s.

    ``platforms`` are those of the groups, so that ``first_s`` and ``again_s`` are (groups,). A wait
    without a bound is infinite.
    """
    part, admission = spec.provisioning, spec.admission
    boots_s = [_boot_s(part, platform) for platform in platforms]
    makes_s = [_make_s(part, platform) for platform in platforms]
    return LifecycleSetup(
        population=_population(load, load.applications),
        admission=Admission(
            queue=admission.max_queue,
            patience_s=np.inf if admission.max_wait is None else admission.max_wait,
            retries=admission.retries,
            retry_s=admission.retry_after,
            detect_s=spec.failures.detection_time,
            restart=spec.failures.restart_vms,
            restart_isolated=spec.failures.restart_vms_of_isolated_hosts,
        ),
        first_s=np.array(
            [
                0.0 if part.method == "none" else make_s + boot_s
                for make_s, boot_s in zip(makes_s, boots_s, strict=True)
            ]
        ),
        again_s=np.array(boots_s),
        starts_per_host=part.starts_per_host,
    )


def static_lifecycle(load: Load) -> LifecycleSetup:
    """Return the life cycle of the same VMs, each with a dedicated server.

    It serves dedicated servers, where nothing waits, boots or is copied.
    """
    return LifecycleSetup.at_once(
        _population(load, load.applications and load.applications.full()), 1
    )


def peak_population(population: Population, end_s: float) -> int:
    """Return the most VMs that are ever wanted at once before ``end_s``; 1 at least.

    Who leaves at an instant makes room for who arrives then. Members of applications count from the
    start.
    """
    come_s = population.arrival_s[population.arrival_s < end_s]
    leave_s = (population.arrival_s + population.lifetime_s)[population.arrival_s < end_s]
    instants_s = np.concatenate([leave_s, come_s])
    steps = np.repeat([-1, 1], len(come_s))
    order = np.lexsort((steps, instants_s))
    return int(np.cumsum(steps[order]).max(initial=1))


def _population(load: Load, applications: Applications | None) -> Population:
    """Return when each VM is requested and how long it stays, members of applications last.

    VMs of a load without arrivals are there from the start and stay. Members that an application
    does not begin with arrive when its policy asks for them.
    """
    own = len(load.vms) - (applications.members if applications else 0)
    population = replace(Population.staying(own), priority=load.vms.priority[:own])
    if load.arrivals is not None:
        arrivals = load.arrivals
        population = Population(arrivals.arrival_s, arrivals.lifetime_s, arrivals.priority)
    if applications is None:
        return population
    members = applications.members
    return Population(
        np.append(population.arrival_s, np.where(applications.present_at_start, 0.0, np.inf)),
        np.append(population.lifetime_s, np.full(members, np.inf)),
        np.append(population.priority, np.repeat(applications.priority, applications.maximum)),
    )


def _boot_s(part: ProvisioningPart, platform: Platform) -> float:
    """Return the boot of a VM's system on a platform: as written, or the hypervisor's figure."""
    return platform.hypervisor.vm_boot_s if part.boot is None else part.boot


def _make_s(part: ProvisioningPart, platform: Platform) -> float:
    """Return ``create + image / bandwidth`` for a copy, the hypervisor's time for a clone."""
    if part.method == "linked_clone":
        return platform.hypervisor.vm_clone_s
    return platform.hypervisor.vm_create_s + part.image * MEGABIT_PER_MIB / part.copy_bandwidth
