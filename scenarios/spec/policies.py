"""Who decides what in a scenario: placement, control, scaling, and what is kept free."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ...policies.control.control import ControlPolicy, NoControl
from ...policies.control.power_management import PowerManagement
from ...policies.placement.placement import Placement
from ...policies.placement_algorithms.first_fit import FirstFitDecreasing
from ...policies.placement_algorithms.recorded import Recorded
from ..language.choices import ParametersField, initial_slot, policy_slot
from ..language.fields import OneOf, Part, QuantityField, problem
from ..language.value_types import Count, Factor, Round
from .constraints import HostPatterns

KeptShare = Annotated[float, Field(ge=0, lt=1), QuantityField("share")]


class FailingHosts(Part):
    """That many hosts may fail at once, and their VMs fit on the others (N+1, N+2).

    This is the usual reserve of a farm: with `hosts: 1` the failure of any one host leaves no VM
    without a place. A decision that would break the reserve is refused. Packing proves it and tries
    up to 10,000 sets of hosts; beyond that take `check: sum`.
    """

    kind: Literal["hosts"]
    hosts: Count = Field(1, description="Number of simultaneous host failures to survive.")
    check: Literal["sum", "packing"] = Field(
        "packing",
        description="`packing`: for every set of that many hosts, the restart of their VMs is "
        "tested as in the run, within all rules; `sum`: compares total memory and "
        "CPU, and the largest VM of each host, which is fast but no proof.",
    )


class FreeShare(Part):
    """A share of the memory and CPU of the hosts that are on stays free.

    A simple rule of thumb that needs no search: 25 % of both by default. It does not prove that a
    large VM finds a host, since what is free may be scattered. An example: `{kind: share, memory:
    20 %, cpu: 10 %}`.
    """

    kind: Literal["share"]
    memory: KeptShare = Field(0.25, description="Share of the memory.")
    cpu: KeptShare = Field(
        0.25, description="Share of the CPU, counted as by the initial placement."
    )

    @model_validator(mode="after")
    def _keeps_something(self) -> "FreeShare":
        """Refuse a reserve that keeps nothing free."""
        if not (self.memory or self.cpu):
            raise problem("reserves nothing; set memory or cpu, or remove reserve")
        return self


class StandbyHosts(Part):
    """Standby hosts that stay on and empty until others fail.

    They hold no VM until a failure and draw idle power all the time. They must be fewer than the
    farm has. An example: `{kind: dedicated, hosts: [spare-*]}`.
    """

    kind: Literal["dedicated"]
    hosts: HostPatterns


Reserve = FailingHosts | FreeShare | StandbyHosts
ReserveField = Annotated[Reserve, OneOf("kind")]


def _reserves_tag(written: Any) -> str:
    """Tell a list of reserves from a single one."""
    return "several" if isinstance(written, list | tuple) else "one"


ReservesField = Annotated[
    Annotated[ReserveField, Tag("one")]
    | Annotated[tuple[ReserveField, ...], Field(min_length=1), Tag("several")],
    Discriminator(_reserves_tag),
]


def reserves_of(written: Reserve | tuple[Reserve, ...] | None) -> tuple[Reserve, ...]:
    """Return one reserve or several as a tuple, empty for none."""
    if written is None:
        return ()
    return written if isinstance(written, tuple) else (written,)


class InitialPlacement(Part):
    """Where VMs are at time 0.

    If it is absent, VMs are placed first fit decreasing by their full size, without overcommit, and
    a VM that fits nowhere ends the run before it begins. An example that consolidates from the
    start: `{placement: best_fit, cpu_overcommit: 3}`.
    """

    FORMER_FIELDS: ClassVar = {"by": "count_by"}

    placement: Annotated[Placement, initial_slot({"recorded": Recorded})] = Field(
        FirstFitDecreasing(),
        description="Placement policy that puts the VMs on hosts at time 0; or `recorded`: on the "
        "hosts that `workload.vms_file` names, and those without one by best fit.",
    )
    count_by: Literal["size", "demand"] = Field(
        "size", description="Whether the CPU need of a VM is its size or its first demand."
    )
    cpu_overcommit: Annotated[Factor, Field(gt=0, le=100)] = Field(
        1.0, description="CPU that may be allocated per CPU installed, where VMs `count_by` size."
    )
    unplaced: Literal["refuse", "reject"] = Field(
        "refuse",
        description="Whether VMs that fit on no host are an error or are listed as rejected.",
    )


class PolicyPart(Part):
    """The policies: placement, control, scaling, reserve.

    If it is absent, VMs are placed once and never migrate, and every host stays on: a farm without
    consolidation. Consolidation needs a control policy: `control: consolidation`. `farmsim catalog
    policies` lists all of them with their parameters.
    """

    initial: InitialPlacement = Field(
        InitialPlacement.model_construct(), description="Placement at time 0."
    )
    control: Annotated[ControlPolicy, policy_slot("control")] = Field(
        NoControl(), description="Control policy, which decides in every round."
    )
    every: Round = Field(
        300.0,
        description="Time between two rounds; the first round is one interval after the start.",
    )
    power: Annotated[PowerManagement, ParametersField(PowerManagement)] = Field(
        PowerManagement(),
        description="How hosts are powered down, and limits that every control policy must "
        "respect.",
    )
    scaling_every: Round = Field(
        60.0,
        description="Interval at which the load of applications is distributed again and scaling "
        "policies decide.",
    )
    slow_cores: Literal["allow", "refuse"] = Field(
        "allow",
        description="Whether a VM may be placed on cores slower than the clock of its vCPUs; it "
        "then gets at most as many cores as it has vCPUs.",
    )
    reserve: ReservesField | None = Field(
        None,
        description="Capacity kept free for host failures, over the whole farm: one reserve, or a "
        "list of which all are kept; default: none. Clusters have their own.",
        examples=[[{"kind": "hosts", "hosts": 1}, {"kind": "share", "memory": "10 %"}]],
    )
