"""VMs that come and go: where they are read from, how they wait for a host and are started."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..language.fields import OneOf, Part, QuantityField
from ..language.value_types import (
    Count,
    Factor,
    FilePath,
    Mebibytes,
    Megahertz,
    Name,
    Period,
    RequestClassName,
    Seconds,
    Share,
    Whole,
)

MemoryUnit = Literal["KB", "KiB", "MB", "MiB", "GB", "GiB"]


class _Arrivals(Part):
    """What all sources of arrivals have in common.

    Samples are drawn by batch, so that VMs that come together stay together; `max_vms` counts what
    is left of them.
    """

    FORMER_FIELDS: ClassVar = {"limit": "max_vms", "share": "sample_share", "start": "trace_start"}

    clock: Megahertz = Field(2500.0, description="Clock of a vCPU, where the source has none.")
    trace_start: Seconds = Field(
        0.0,
        description="Time in the source at which the run starts; VMs that arrived earlier and "
        "still run then are present from the start for the rest of their lifetime.",
    )
    sample_share: Annotated[float, Field(gt=0, le=1), QuantityField("share")] = Field(
        1.0,
        description="Share of the batches (or of the VMs, if the source has no batches) that is "
        "kept, drawn at random.",
    )
    max_vms: Count | None = Field(
        None, description="Maximum number of VMs; later arrivals are ignored."
    )
    request_class: RequestClassName | None = Field(
        None,
        alias="class",
        description="Request class, from the catalogue, of VMs that have none in the source.",
    )
    tenant: Name | None = Field(None, description="Tenant of VMs that have none in the source.")
    cluster: Name | None = Field(
        None,
        description="Cluster of the VMs, one of `farm.clusters`; default: none, and they run on "
        "hosts that are in no cluster.",
    )


class _Unmeasured(_Arrivals):
    """Sources that may not know what VMs ask for."""

    utilisation: Share = Field(
        0.106,
        description="Utilisation of a VM where neither the source nor `workload.source` gives "
        "one; the default is the mean of 100 VMs of Azure V1.",
    )


class ArrivalColumns(Part):
    """Names of the columns of a table of arrivals.

    Optional columns are read where the table has them; a name other than the default must exist.

    A table whose columns have the default names needs none of these. Use them for an export of your
    own: `{arrival: created_at, vcpus: cores, memory: ram_gib}`.
    """

    arrival: Name = Field("arrival", description="When the VM arrives.")
    vcpus: Name = Field("vcpus", description="Number of its vCPUs.")
    memory: Name = Field("memory", description="Its memory.")
    lifetime: Name = Field(
        "lifetime", description="Optional: its lifetime; blank if it runs to the end."
    )
    end: Name = Field("end", description="Optional, if there is no lifetime: when it ends.")
    clock: Name = Field("clock", description="Optional: MHz of a vCPU.")
    utilisation: Name = Field("utilisation", description="Optional: its mean utilisation.")
    tenant: Name = Field("tenant", description="Optional: its tenant, one of `tenants`.")
    request_class: Name = Field(
        "class", alias="class", description="Optional: its request class, from the catalogue."
    )
    priority: Name = Field(
        "priority", description="Optional: its priority, a whole number; higher goes first."
    )
    vm: Name = Field("vm", description="Optional: its unique name.")
    batch: Name = Field(
        "batch", description="Optional: number of the batch (request) in which it arrived."
    )


class TableArrivals(_Unmeasured):
    """A CSV (also gzipped) or Parquet table with one row per VM, in order of arrival.

    It suits records of your own platform. Needed are arrival, vCPUs and memory; a table without
    lifetimes is one of VMs that stay. An example: `{type: table, path: vms.csv, time_unit: h}`.
    """

    type: Literal["table"]
    path: FilePath = Field(description="The file, relative to the scenario.")
    columns: ArrivalColumns = Field(
        ArrivalColumns.model_construct(), description="Names of its columns."
    )
    time_unit: Literal["ms", "s", "min", "h", "d"] = Field(
        "s", description="Unit of arrival, lifetime and end."
    )
    memory_unit: MemoryUnit = Field("GiB", description="Unit of memory.")
    utilisation_unit: Literal["percent", "share"] | None = Field(
        None,
        description="Whether a utilisation of 1 means one percent or all of the vCPUs; default: "
        "percent, and a table with no utilisation above 1 is refused.",
    )
    lifetimes: Literal["stay", "azure_v1"] = Field(
        "stay",
        description="VMs without a lifetime run to the end, or get a lifetime drawn from the "
        "distribution of `farmsim catalog workloads azure_v1`, the same for all VMs "
        "of a batch, in steps of 5 min as in the trace.",
    )


class AzureArrivals(_Arrivals):
    """The table of VMs of the Azure Public Dataset V1 or V2, `vmtable.csv` or `.csv.gz`.

    The table is not shipped; download it from the dataset's page. It spans 30 days, so that a part
    of it makes a run of useful length: `{type: azure, path: vmtable.csv.gz, sample_share: 1 %}`.

    V1 states vCPUs and memory as numbers, V2 in buckets, of which the last ones are open: how large
    their VMs are is an assumption that you can change.
    """

    FORMER_FIELDS: ClassVar = {"level": "utilisation_statistic"}

    type: Literal["azure"]
    path: FilePath = Field(description="The file, relative to the scenario.")
    utilisation_statistic: Literal["mean", "p95", "max"] = Field(
        "mean", description="Which of the recorded utilisations a VM asks for."
    )
    vcpus_above_24: Count = Field(30, description="vCPUs of a VM in the bucket `>24` of V2.")
    memory_above_64: Mebibytes = Field(
        71_680.0, description="Memory of a VM in the bucket `>64` of V2."
    )


class HuaweiEast1Arrivals(_Unmeasured):
    """The event table of Huawei-East-1: one row for the creation and one for the end of a VM.

    The table is not shipped. It records sizes and lives of VMs and nothing of their load, for which
    `utilisation` or `workload.source` is taken. An example: `{type: huawei_east_1, path:
    Huawei-East-1.csv, max_vms: 5000}`.
    """

    type: Literal["huawei_east_1"]
    path: FilePath = Field(description="The file, relative to the scenario.")


class OpenDCArrivals(_Unmeasured):
    """A folder with `tasks.parquet` and optionally `fragments.parquet`, in any OpenDC format.

    A task is a VM. With fragments each asks for the mean of its own, otherwise for `utilisation`.
    An example: `{type: opendc, path: bitbrains-small, memory_unit: MB}`.
    """

    type: Literal["opendc"]
    path: FilePath = Field(description="The folder, relative to the scenario.")
    memory_unit: MemoryUnit | None = Field(
        None,
        description="Unit of the tasks' memory, which differs between traces; default: KB, MB or "
        "GB, recognised by the median per vCPU; an ambiguous median is refused.",
    )


class GeneratedArrivals(_Arrivals):
    """Batches of VMs from distributions of a public trace, `farmsim catalog workloads azure_v1`.

    It needs no file and draws as many VMs as a run of any length meets: sizes, batches, lifetimes
    and hours of the day as in Azure V1. Scale it to your farm with the rate: `{type: generated,
    rate: 0.05}` is about 130 VMs an hour.
    """

    FORMER_FIELDS: ClassVar = {"swing": "daily_variation"}

    type: Literal["generated"]
    rate: Annotated[Factor, Field(gt=0)] = Field(
        1.0,
        description="Rate of batches relative to the trace, which had 629 batches with 2,600 "
        "VMs per hour.",
    )
    daily_variation: Annotated[Factor, Field(ge=0, le=2)] = Field(
        1.0,
        description="Strength of the daily cycle: 1 as in the trace, 0 none.",
    )


ArrivalPart = (
    TableArrivals | AzureArrivals | HuaweiEast1Arrivals | OpenDCArrivals | GeneratedArrivals
)
ArrivalSource = Annotated[ArrivalPart, OneOf("type")]


class AdmissionPart(Part):
    """What happens to VMs that arrive while no host has capacity.

    If it is absent, every VM waits as long as it takes and none is turned away. A cloud that
    rejects requests limits the wait: `{max_queue: 100, max_wait: 10 min, retries: 2}`.
    """

    FORMER_FIELDS: ClassVar = {"queue": "max_queue", "patience": "max_wait"}

    max_queue: Whole | None = Field(
        None,
        description="Maximum number of waiting VMs, higher priority first; default: unlimited. A "
        "VM that finds the queue full is rejected.",
    )
    max_wait: Period | None = Field(
        None, description="How long a VM waits before it is rejected; default: for ever."
    )
    retries: Whole = Field(0, description="How often a rejected request is retried.")
    retry_after: Period = Field(300.0, description="Time until a rejected request is retried.")


class ProvisioningPart(Part):
    """How long it takes from placement until a VM runs.

    If it is absent, VMs run as soon as they have a host. An example in which the image is copied
    first, 20 GiB at 400 MB/s, and the guest then boots: `{method: template_copy, boot: 40 s}`.
    """

    FORMER_FIELDS: ClassVar = {"bandwidth": "copy_bandwidth"}

    method: Literal["none", "template_copy", "linked_clone"] = Field(
        "none",
        description="`template_copy` copies the image, `linked_clone` only a reference to it; "
        "then the guest boots. `none`: VMs run at once; restarted VMs still boot.",
    )
    image: Mebibytes = Field(20_480.0, description="Size of the image of a template copy.")
    copy_bandwidth: Annotated[float, Field(gt=0), QuantityField("bandwidth")] = Field(
        3200.0,
        description="Rate at which one image is copied; the default is 400 MB/s, an estimate for "
        "shared flash storage.",
    )
    boot: Seconds | None = Field(
        None, description="Boot time of the guest; default: the figure of the hypervisor."
    )
    starts_per_host: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        8, description="VMs that one host starts at a time; others wait."
    )
