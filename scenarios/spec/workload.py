"""The workload of a scenario: where load comes from, and the VMs that carry it.

Load is a source of utilisation over time; VMs are counted sizes, or arrivals that bring their own.
"""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from ...models.base.arrays import added
from ...models.base.catalogue import workload_classes
from ...models.workload.demand import OnEnd
from ...models.workload.demand_generators import Bursts, LoadClass
from ..errors.suggest import unknown_name
from ..language.choices import ParametersField, migration_model
from ..language.fields import OneOf, Part, QuantityField, problem, problems
from ..language.units import write
from ..language.value_types import (
    Cores,
    Count,
    FilePath,
    Mebibytes,
    Megahertz,
    Name,
    RequestClassField,
    Round,
    Share,
)
from ..traces.demand_tables import TableTrace
from ..traces.formats import RecordedTrace
from ..traces.snapshot import SnapshotLoad
from .arrivals import ArrivalSource

MAX_VMS = 20_000_000
BY_FILE = ("vms", "sizes", "size_order")
"""What arrivals or a table of VMs decide, so that a scenario with one of them may not."""


class Size(Part):
    """A VM size and how many VMs have it.

    A workload without sizes has one, `standard`, with 2 vCPUs of 2.5 GHz and 4 GiB. Give several
    where VMs differ, and either a `count` or a `share` to each: `{name: web, vcpus: 4, memory: 8
    GiB, count: 120}`.

    Utilisation is a share of the VM's own CPU, which is `vcpus` times `clock`: 50 % of 2 vCPUs of
    2.5 GHz are 2,500 MHz on any host.
    """

    name: Name = Field(description="Name of the size.")
    vcpus: Cores = Field(2, description="Virtual CPUs.")
    clock: Megahertz = Field(2500.0, description="Clock of a vCPU: the CPU of 100 % utilisation.")
    memory: Mebibytes = Field(4096.0, description="Memory, fully reserved on the host.")
    disk: Annotated[float, Field(ge=0), QuantityField("memory")] = Field(
        0.0, description="Disk, copied by migrations where hosts share no storage."
    )
    disk_writes: Annotated[float, Field(ge=0), QuantityField("bandwidth")] = Field(
        0.0, description="Disk write rate of a fully busy VM, mirrored while the disk is copied."
    )
    count: Annotated[int, Field(strict=True, ge=0, le=MAX_VMS)] | None = Field(
        None, description="Number of VMs of this size; set counts or shares, not both."
    )
    share: Annotated[float, Field(gt=0), QuantityField("share")] | None = Field(
        None, description="Share of the VMs that have this size."
    )
    request_class: RequestClassField | None = Field(
        None,
        alias="class",
        description="Request class (`farmsim catalog classes`); gives response times and the "
        "overhead of I/O and exits under a hypervisor. Default: pure CPU work.",
    )
    shares: Count = Field(
        1000, description="Weight of one vCPU on a saturated host with `service.sharing: shares`."
    )
    reservation: Annotated[float, Field(ge=0), QuantityField("frequency")] = Field(
        0.0,
        description="CPU guaranteed to the VM with `service.sharing: shares`; the reservations of "
        "a host's VMs never exceed its CPU.",
    )
    limit: Megahertz | None = Field(None, description="Upper limit of the VM's CPU.")
    tenant: Name | None = Field(None, description="Tenant of the VMs of this size.")
    cluster: Name | None = Field(
        None,
        description="Cluster of the VMs of this size, one of `farm.clusters`; default: none, and "
        "they run on hosts that are in no cluster.",
    )
    migration: Annotated[Any, migration_model()] = Field(
        None,
        description="How VMs of this size migrate, if not by the `migration` of the hosts that "
        "they leave or of the scenario.",
    )
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000)] = Field(
        0,
        description="Priority when VMs or migrations wait for capacity or a migration slot; "
        "highest first.",
    )

    @model_validator(mode="after")
    def _bounds_agree(self) -> Self:
        """Refuse a reservation above the VM's own CPU, and a limit below it.

        All three are in MHz; the VM's own CPU is ``vcpus`` times ``clock``. The error points to the
        field that is to be changed, ``reservation`` or ``limit``.
        """
        own_mhz = self.vcpus * self.clock
        if self.reservation > own_mhz:
            message = (
                f"{self.reservation:g} MHz are more than the CPU of the VM, {self.vcpus} vCPUs of "
                f"{self.clock:g} MHz; reserve at most {write(own_mhz, 'frequency')}"
            )
            raise problems([(("reservation",), message)])
        if self.limit is not None and self.limit < self.reservation:
            message = (
                f"{self.limit:g} MHz are less than the reservation, {self.reservation:g} MHz; "
                "raise the limit or reserve less"
            )
            raise problems([(("limit",), message)])
        return self


class ConstantLoad(Part):
    """The same utilisation for every VM at all times.

    Useful to size a farm for a planned level, and to check a result by hand, since nothing varies:
    `{type: constant, utilisation: 30 %}`.
    """

    type: Literal["constant"]
    utilisation: Share = Field(description="Utilisation of each VM.")


def _classes_tag(written: Any) -> str:
    """Tell classes written out from the name of a fitted set."""
    return "own" if isinstance(written, list | tuple) else "fitted"


ClassesField = Annotated[
    Annotated[str, Tag("fitted")]
    | Annotated[
        tuple[Annotated[LoadClass, ParametersField(LoadClass)], ...],
        Field(min_length=1),
        Tag("own"),
    ],
    Discriminator(_classes_tag),
]


class Synthetic(Part):
    """Load generated by classes of VMs; docs/workloads.md says what it does not reproduce.

    Use it where no trace of your own exists and more VMs are needed than a trace has. The same seed
    draws the same load. Write `{type: synthetic, classes: azure}` for a set fitted to a public
    trace.
    """

    type: Literal["synthetic"]
    classes: ClassesField = Field(
        "planetlab",
        description="A fitted set (planetlab, bitbrains, azure, google) or a list of classes.",
    )
    step: Round = Field(300.0, description="Time between two changes of load.")
    farm_factor: Annotated[float, Field(ge=0, lt=1), QuantityField("share")] = Field(
        0.0, description="Share of the variance that is common to the whole farm."
    )
    daily_peak: Annotated[float, Field(ge=0, lt=86_400), QuantityField("time")] = Field(
        50_400.0, description="Time of day of the daily peak."
    )
    bursts: Annotated[Bursts, ParametersField(Bursts)] | None = Field(
        None, description="Occasional periods of high load."
    )

    @field_validator("classes")
    @classmethod
    def _known_set(cls, classes: Any) -> Any:
        """Refuse a set of classes that the catalogue does not have."""
        if isinstance(classes, str) and classes not in workload_classes()["sets"]:
            raise problem(unknown_name("set of classes", classes, workload_classes()["sets"]))
        return classes


def _shipped_by_name(written: Any) -> Any:
    """Let the name of a shipped trace stand for the whole source.

    Return the mapping of a shipped trace for a text, anything else as it is. ``source:
    planetlab-20110303`` thus means the same as a mapping with ``type: shipped``.
    """
    return {"type": "shipped", "name": written} if isinstance(written, str) else written


class Resampled(Part):
    """A recorded trace resampled in blocks.

    It makes a run longer than its trace, or different from seed to seed, and keeps the shape of
    days where `block` is a day. Drawn together, VMs keep the correlation that the trace has; drawn
    apart, they lose it, and peaks of the farm are lower than those recorded. An example: `{type:
    resample, trace: planetlab-20110303, block: 24 h}`.
    """

    FORMER_FIELDS: ClassVar = {"of": "trace", "blocks": "draw_blocks"}

    type: Literal["resample"]
    trace: Annotated[RecordedTrace, OneOf("type"), BeforeValidator(_shipped_by_name)] = Field(
        description="The trace to draw from."
    )
    block: Round = Field(86_400.0, description="Length of a block.")
    draw_blocks: Literal["together", "apart"] = Field(
        "together", description="Whether all VMs use the same block or each draws its own."
    )


Source = Annotated[
    RecordedTrace | ConstantLoad | Synthetic | Resampled | SnapshotLoad,
    OneOf("type"),
    BeforeValidator(_shipped_by_name),
]


class WorkloadPart(Part):
    """The VMs and their demand.

    It needs a `source`, or `arrivals`, unless `applications` bring the load. A recorded trace may
    bring the number of VMs and their sizes; what the scenario says itself goes before. The shortest
    workload is one line: `source: planetlab-20110303`.

    Faults of a trace (missing samples, samples above 100 %) are refused by default, because filling
    them changes the result; say how to fill them with `gaps` and `above_100_percent`.
    """

    FORMER_FIELDS: ClassVar = {
        "deal": "size_order",
        "above_full": "above_100_percent",
        "match": "match_series_by",
    }

    source: Source | None = Field(
        None,
        description="Source of utilisation over time. Optional with `arrivals`: each VM then has "
        "its constant mean utilisation. Without either, the only VMs are those of "
        "`applications`.",
    )
    arrivals: ArrivalSource | None = Field(
        None,
        description="Source of VMs that arrive and end, instead of `vms` and `sizes`.",
    )
    vms: Annotated[int, Field(strict=True, ge=1, le=MAX_VMS)] | None = Field(
        None,
        description="Number of VMs; default: that of the trace, or the sum of the counts of the "
        "sizes.",
    )
    vms_file: FilePath | None = Field(
        None,
        description="CSV or Parquet table of the VMs, one row per VM, instead of `vms` and "
        "`sizes`; relative to the scenario. Its columns are in docs/workloads.md.",
        examples=["vms.csv"],
    )
    sizes: tuple[Size, ...] = Field(
        (Size.model_construct(name="standard"),), min_length=1, description="Sizes of the VMs."
    )
    size_order: Literal["blocks", "cycle", "random"] = Field(
        "blocks",
        description="Order in which sizes are assigned to VMs: in blocks, in turn, or at random.",
    )
    match_series_by: Literal["name", "position", "cycle"] | None = Field(
        None,
        description="How series of a trace are assigned to VMs: by name, one to one; by position, "
        "the first series to the first VM, possibly leaving series unused; or in a "
        "cycle that restarts when there are more VMs than series. Default: by name; "
        "in a cycle for a shipped trace.",
    )
    on_end: OnEnd = Field(
        "hold",
        description="What happens at the end of a trace: hold the last value, start "
        "again, or end the VMs.",
    )
    gaps: Literal["refuse", "hold", "interpolate", "zero"] = Field(
        "refuse", description="How missing samples are filled, or `refuse`."
    )
    above_100_percent: Literal["refuse", "cut"] = Field(
        "refuse", description="What happens to samples above 100 %."
    )

    @model_validator(mode="after")
    def _one_origin_of_vms(self) -> Self:
        """Refuse what arrivals or a table of VMs bring themselves, and both at once.

        Refused are the fields of BY_FILE, each at its own place, if they were written. A ``vms`` of
        null counts as not written.
        """
        if self.arrivals is not None and self.vms_file is not None:
            message = "arrivals define the VMs; remove either this or arrivals"
            raise problems([(("vms_file",), message)])
        if not self.vms_from_file:
            return self
        given = [name for name in BY_FILE if name in self.model_fields_set]
        if self.vms is None and given == ["vms"]:
            given = []
        message = "arrivals define the VMs and their sizes; remove either this or arrivals"
        if self.vms_file is not None:
            message = "vms_file defines the VMs and their sizes; remove either this or vms_file"
        if given:
            raise problems([((name,), message) for name in given])
        return self

    @model_validator(mode="after")
    def _match_means_something(self) -> Self:
        """Refuse matching without a trace, a snapshot without VMs, and units that do not fit.

        Blocks can be drawn from utilisation only: a trace in MHz or GHz has no share that could be
        put on another VM.
        """
        if self.match_series_by is not None and not isinstance(self.source, RecordedTrace):
            message = "only a trace has series to match; remove this"
            raise problems([(("match_series_by",), message)])
        if isinstance(self.source, SnapshotLoad) and self.vms_file is None:
            message = "a snapshot needs the VMs that it is of; name their table as vms_file"
            raise problems([(("source",), message)])
        if isinstance(self.source, Resampled) and isinstance(self.source.trace, TableTrace):
            unit = self.source.trace.unit
            if unit not in (None, "percent", "share"):
                message = f"a trace in {unit} cannot be resampled; convert it to percent or shares"
                raise problems([(("source", "trace", "unit"), message)])
        return self

    @property
    def vms_from_file(self) -> bool:
        """Whether the VMs and their sizes are those of arrivals, or of a table of VMs."""
        return self.arrivals is not None or self.vms_file is not None

    @property
    def known_sizes(self) -> tuple[Size, ...]:
        """The sizes that are known before a file is read; arrivals and tables bring theirs."""
        return () if self.vms_from_file else self.sizes

    @property
    def unwritten(self) -> tuple[str, ...]:
        """Fields whose defaults mean nothing here, because a file or arrivals say more.

        They are left out of ``scenario.resolved.yaml``, which would otherwise name sizes that no VM
        has.
        """
        if self.vms_from_file:
            return BY_FILE
        return ("sizes",) if self.sizes_from_file else ()

    @property
    def sizes_from_file(self) -> bool:
        """Whether the sizes are those that a table of VMs or the trace records.

        Of a trace true only where it records sizes and the scenario writes none.
        """
        if self.vms_file is not None:
            return True
        source = self.source.trace if isinstance(self.source, Resampled) else self.source
        brings = isinstance(source, RecordedTrace) and source.brings_sizes
        return brings and "sizes" not in self.model_fields_set

    @field_validator("sizes")
    @classmethod
    def _counts_or_shares(cls, sizes: tuple[Size, ...]) -> tuple[Size, ...]:
        """Refuse sizes that are neither all counted nor all shares of the VMs.

        Shares have to sum to 100 % within a millionth, counts to at least 1 and at most MAX_VMS.
        The error points to ``workload.sizes``, since any of the sizes may be the one to change.
        """
        names = [size.name for size in sizes]
        if len(set(names)) < len(names):
            raise problem("two sizes have the same name; make the names unique")
        counted = [size.count is not None for size in sizes]
        shared = [size.share is not None for size in sizes]
        if any(counted) and any(shared):
            raise problem("some sizes have counts, others shares; use one of the two for all")
        if (any(counted) and not all(counted)) or (any(shared) and not all(shared)):
            raise problem("set a count (or a share) for every size, or for none")
        total = added(size.share or 0.0 for size in sizes)
        if all(shared) and not math.isclose(total, 1.0, abs_tol=1e-6):
            raise problem(f"the shares sum to {total * 100:g} %; make them sum to 100 %")
        if all(counted) and not sum(size.count or 0 for size in sizes):
            raise problem("all counts are 0; set at least one VM")
        if sum(size.count or 0 for size in sizes) > MAX_VMS:
            raise problem(f"the counts sum to more than {MAX_VMS:,} VMs; reduce them")
        return sizes
