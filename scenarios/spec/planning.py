"""Planning: the limits that `headroom`, `size` and failure tables hold a farm to."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...models.sizing.limits import LIMITS, Limits
from ..language.fields import Fault, Part, QuantityField, problems
from ..language.value_types import Factor, Name

Filled = Annotated[float, Field(gt=0, le=1), QuantityField("share")]
"""A share of what there is that may be used."""
Ratio = Annotated[Factor, Field(gt=0, le=100)]
OF_FAILURES = {"vcpus_per_core": "vcpus_per_core_failure", "cpu": "cpu_two_failures"}
"""Limits of normal operation, and those for failures that may not be below them."""
WHOLE, NO_CLUSTER = "farm", "no cluster"
"""What the only cluster is called where a scenario names none, and hosts of none where it does."""
MAX_RESERVE = 2
"""Hosts that may fail at once: every host and every pair is tried, no larger sets."""


class PlanningPart(Part):
    """Limits of a plan.

    They say how far hosts may be filled when somebody asks what still fits, how many hosts are
    needed, or what a failure leaves. A run does not use them. Each has a default from common
    practice, which is printed as such beside the answer; docs/planning.md has where each comes
    from. An example for a farm that must survive two failures: `{reserve: 2, vcpus_per_core: 5}`.
    """

    reserve: Annotated[int, Field(strict=True, ge=0, le=MAX_RESERVE)] | None = Field(
        None,
        description="Hosts that may fail at once in each cluster, at most 2; default: those of "
        "`policies.reserve` where it is of kind `hosts`, otherwise 1.",
    )
    memory: Filled = Field(
        LIMITS["memory"].typical,
        description="Share of the usable memory of hosts that the configured memory of VMs may "
        "take, in every case.",
    )
    vcpus_per_core: Ratio = Field(
        LIMITS["vcpus_per_core"].typical,
        description="vCPUs per physical core in normal operation.",
    )
    vcpus_per_core_failure: Ratio = Field(
        LIMITS["vcpus_per_core_failure"].typical,
        description="vCPUs per physical core while hosts are down; at least `vcpus_per_core`.",
    )
    cpu: Filled = Field(
        LIMITS["cpu"].typical,
        description="Share of the CPU capacity that the 95th percentile of the summed demand may "
        "take, in normal operation and while one host is down.",
    )
    cpu_two_failures: Filled = Field(
        LIMITS["cpu_two_failures"].typical,
        description="The same while two hosts, a rack or a site are down; at least `cpu`.",
    )
    largest_vm: Filled = Field(
        LIMITS["largest_vm"].typical,
        description="Share of the memory or cores of a host beyond which a VM is named in a "
        "warning, because it restarts on few hosts only.",
    )
    min_hosts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        int(LIMITS["min_hosts"].typical),
        description="Least number of hosts that is ever called enough; 3 for hyperconverged "
        "storage.",
    )
    incomplete_clusters: tuple[Name, ...] = Field(
        (),
        description="Clusters of which host rows are missing from the inventory: they get no "
        "utilisation, overcommit, failure or headroom figure. `no cluster` are hosts of none, "
        "`farm` all of a farm without clusters. An import writes them.",
        examples=[["Cluster1"]],
    )

    @model_validator(mode="after")
    def _failures_allow_no_less(self) -> "PlanningPart":
        """Refuse limits under which a failure would allow less than normal operation.

        Only a limit that was written is refused, at its own place: a default follows the other.
        """
        faults: list[Fault] = [
            (
                (looser,),
                f"{getattr(self, looser):g} is below {strict}, {getattr(self, strict):g}; while "
                "hosts are down at least as much may be used as in normal operation",
            )
            for strict, looser in OF_FAILURES.items()
            if looser in self.model_fields_set and getattr(self, looser) < getattr(self, strict)
        ]
        if faults:
            raise problems(faults)
        return self

    def limits(self) -> Limits:
        """Return the limits as the arithmetic of planning takes them.

        Limits for failures that were not written are at least those of normal operation.
        """
        return Limits(
            self.memory,
            self.vcpus_per_core,
            max(self.vcpus_per_core_failure, self.vcpus_per_core),
            self.cpu,
            max(self.cpu_two_failures, self.cpu),
            self.largest_vm,
            self.min_hosts,
        )

    def basis(self, field: str) -> Literal["default", "yours"]:
        """Return whether a field was written or is the default."""
        return "yours" if field in self.model_fields_set else "default"
