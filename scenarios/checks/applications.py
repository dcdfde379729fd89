"""Check the applications of a scenario against its sizes and policies.

Checked: names that differ, sizes that exist, loads in requests only where a size has a request
class, members within minimum and maximum, and ladders of vertical scaling.
"""

from collections.abc import Iterator

from ...policies.scaling.scheduled_scaling import ScheduledScaling
from ...policies.scaling.vertical_scaling import VerticalScaling
from ..errors.suggest import unknown_name
from ..language.fields import Fault
from ..spec.applications import ApplicationPart
from ..spec.spec import Spec
from ..spec.workload import Size


def faults_of_applications(spec: Spec) -> Iterator[Fault]:
    """Yield what does not go together between applications, workload and policies.

    Places are those of the scenario, from its top. With arrivals or a table of VMs, which
    bring sizes of their own, nothing else is checked.

    A fault is a place (a tuple of keys and list indices) and a sentence that says what is wrong and
    what to write instead. ``spec`` is one whose parts are right by themselves.
    """
    if not spec.applications:
        return
    yield from _faults_of_parts(spec)
    if spec.workload.vms_from_file:
        return
    sizes = {size.name: size for size in spec.workload.sizes}
    names = [part.name for part in spec.applications]
    for index, part in enumerate(spec.applications):
        place = ("applications", index)
        if part.name in names[:index]:
            message = f"{part.name!r} is the name of two applications; make the names unique"
            yield (*place, "name"), message
        if part.size not in sizes:
            yield (*place, "size"), unknown_name("size", part.size, sizes)
            continue
        for below, message in [*_load(part, sizes[part.size]), *_scaling(part, sizes)]:
            yield (*place, *below), message


def _faults_of_parts(spec: Spec) -> Iterator[Fault]:
    """Yield parts of the scenario that do not go with any application.

    These are arrivals and a table of VMs, a workload that ends with its trace, and placement by
    demand.
    """
    if spec.workload.vms_from_file:
        file = "arrivals define" if spec.workload.arrivals is not None else "vms_file defines"
        message = (
            f"applications take their sizes from workload.sizes, but {file} their own; "
            "remove one of the two"
        )
        yield ("applications",), message
    if spec.workload.on_end == "stop":
        message = (
            "ends all VMs with the trace, including the members of applications; set hold or loop"
        )
        yield ("workload", "on_end"), message
    if spec.policies.initial.count_by == "demand":
        message = (
            "members of applications have no demand before they run; "
            "set policies.initial.count_by: size"
        )
        yield ("policies", "initial", "count_by"), message


def _load(part: ApplicationPart, size: Size) -> Iterator[Fault]:
    """Yield a load or a penalty in requests where the size has no request class.

    Places are below the application. Work per request comes from the request class alone, so that
    without one neither requests per second nor a penalty per request can be turned into MHz or
    money.
    """
    if part.in_requests and size.request_class is None:
        message = (
            f"counts requests, and size {size.name} has no class that gives the work per request; "
            "add a class, or write the load in GHz"
        )
        yield ("load",), message
    if part.penalty and part.penalty.per == "request" and size.request_class is None:
        message = f"size {size.name} has no request class; write GHz h, or add a class"
        yield ("penalty", "per"), message


def _scaling(part: ApplicationPart, sizes: dict[str, Size]) -> Iterator[Fault]:
    """Yield numbers of a schedule outside minimum and maximum, and what is wrong with a ladder.

    Places are below the application; ``sizes`` are those of the workload by name.
    """
    policy = part.scaling
    if isinstance(policy, ScheduledScaling):
        for index, members in enumerate(policy.members):
            if not part.min_members <= members <= part.max_members:
                message = (
                    f"{members} is not between min_members ({part.min_members}) and max_members "
                    f"({part.max_members}); change one of them"
                )
                yield ("scaling", "members", index), message
    if isinstance(policy, VerticalScaling):
        yield from _ladder(part, policy, sizes)


def _ladder(
    part: ApplicationPart, policy: VerticalScaling, sizes: dict[str, Size]
) -> Iterator[Fault]:
    """Yield sizes of a ladder that do not exist, belong to others, or do not ascend in CPU.

    All sizes of a ladder need the tenant, cluster and request class of the members, because a
    resize changes none of them. The order is checked only once every name exists.
    """
    own, unknown = sizes[part.size], False
    for index, name in enumerate(policy.sizes):
        place = ("scaling", "sizes", index)
        if name not in sizes:
            unknown = True
            yield place, unknown_name("size", name, sizes)
        elif sizes[name].cluster != own.cluster:
            message = (
                f"{name} belongs to another cluster than {own.name}, the size of the members; "
                "make it the same for all sizes"
            )
            yield place, message
        elif (sizes[name].tenant, sizes[name].request_class) != (own.tenant, own.request_class):
            message = (
                f"{name} differs in class or tenant from {own.name}, the size of the members; make "
                "them the same for all sizes"
            )
            yield place, message
    if unknown:
        return
    if part.size not in policy.sizes:
        message = f"does not hold {part.size}, the size of the members; add it"
        yield ("scaling", "sizes"), message
    cpu_mhz = [sizes[name].vcpus * sizes[name].clock for name in policy.sizes]
    if cpu_mhz != sorted(set(cpu_mhz)):
        yield ("scaling", "sizes"), "do not ascend in CPU; list the smallest first"
