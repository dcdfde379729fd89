"""How VMs wait for a host and how they are started, as a scenario describes it."""

from typing import Annotated, Literal

from pydantic import Field

from ..language.fields import Part, QuantityField
from ..language.value_types import Mebibytes, Period, Seconds, Whole


class AdmissionPart(Part):
    """What becomes of VMs that arrive while no host has room."""

    queue: Whole | None = Field(
        None,
        description="How many may wait, those of higher priority first; absent: any number. A VM "
        "that finds no place in the queue is turned away.",
    )
    patience: Period | None = Field(
        None, description="How long a VM waits before it is turned away; absent: for ever."
    )
    retries: Whole = Field(0, description="How often a VM that was turned away is asked for again.")
    retry_after: Period = Field(300.0, description="Time until it is.")


class ProvisioningPart(Part):
    """What it takes until a VM that has been given a host runs."""

    method: Literal["none", "template_copy", "linked_clone"] = Field(
        "none",
        description="`template_copy`: the image is copied, `linked_clone`: only what refers to "
        "it; then the VM's system boots. `none`: VMs run at once, restarted ones when booted.",
    )
    image: Mebibytes = Field(20_480.0, description="Size of the image that a template copy copies.")
    bandwidth: Annotated[float, Field(gt=0), QuantityField("bandwidth")] = Field(
        3200.0,
        description="Rate at which one image is copied; the default is 400 MB/s, an estimate for "
        "shared flash storage.",
    )
    boot: Seconds | None = Field(
        None, description="Boot of a VM's system, if not the figure of the hypervisor."
    )
    starts_per_host: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        8, description="VMs that one host starts at a time; others wait their turn on it."
    )
