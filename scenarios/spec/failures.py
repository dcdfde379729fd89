"""What fails and what becomes of its VMs, as a scenario describes it."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from ...models.hardware.reliability import DISTRIBUTIONS, Times
from ..language.choices import ChoiceField
from ..language.fields import Part, QuantityField, problem
from ..language.value_types import FilePath, Name, Period, Seconds

Distribution: TypeAlias = Annotated[
    Times, ChoiceField("distribution", "distribution of times", lambda: DISTRIBUTIONS)
]
Of = Literal["host", "rack", "site", "switch", "link"]
Match: TypeAlias = Annotated[tuple[Name, ...], Field(min_length=1)]
OF = (
    "What fails: a host, all hosts of a rack or site at once, the switch of a rack (its hosts are "
    "isolated), or a link of the network."
)
MATCH = (
    "Names of hosts, racks, sites, or racks of switches; links as `one - other`; shell patterns "
    "such as rack-3* are allowed."
)


class FailureEntry(Part):
    """Things that fail again and again, each by itself.

    It needs both distributions, or a table of observed failures. An example, hosts that fail once
    in three years on average and are repaired in a day: `{name: hosts, time_to_failure:
    {distribution: exponential, mean: 3 years}, repair: {distribution: exponential, mean: 24 h}}`.
    """

    FORMER_FIELDS: ClassVar = {"of": "component"}

    name: Name = Field(description="Name of the entry, used in tables and for its random numbers.")
    component: Of = Field("host", description=OF)
    match: Match = Field(("*",), description=MATCH)
    time_to_failure: Distribution | None = Field(
        None, description="Time from the start, or from a repair, to the next failure."
    )
    repair: Distribution | None = Field(None, description="Time from a failure to its repair.")
    table: FilePath | None = Field(
        None,
        description="Instead of both: a CSV or Parquet table of observed failures with the "
        "columns `failure_interval` and `failure_duration` in ms, as in the failure "
        "traces of OpenDC.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "FailureEntry":
        """Refuse an entry without times, or with both times and a table.

        The error points to the entry, since either source may be the one to leave out.
        """
        given = self.time_to_failure is not None, self.repair is not None
        if self.table is not None and any(given):
            raise problem("has a table as well as time_to_failure or repair; remove one of them")
        if self.table is None and not all(given):
            raise problem("needs time_to_failure and repair, or a table")
        return self


class PlannedOutage(Part):
    """One failure that is known beforehand.

    Use it to test one event: `{at: 10 h, component: rack, match: [rack-1], duration: 2 h}`. It
    happens at the same instant with every seed.
    """

    FORMER_FIELDS: ClassVar = {"of": "component", "for": "duration"}

    at: Annotated[float, QuantityField("time")] = Field(description="When it happens.")
    component: Of = Field("host", description=OF)
    match: Match = Field(description=MATCH)
    duration: Period | None = Field(
        None, description="Time to its repair; default: not repaired within the run."
    )


class FailuresPart(Part):
    """What fails, and what becomes of the VMs concerned.

    If it is absent, nothing fails. With it, a failure ends the VMs of the hosts concerned; they
    restart elsewhere as far as there is capacity, which `policies.reserve` can set aside.
    """

    FORMER_FIELDS: ClassVar = {
        "detection": "detection_time",
        "restart": "restart_vms",
        "restart_isolated": "restart_vms_of_isolated_hosts",
    }

    entries: tuple[FailureEntry, ...] = Field((), description="What fails at random.")
    schedule: tuple[PlannedOutage, ...] = Field((), description="What fails at known times.")
    detection_time: Seconds = Field(
        15.0,
        description="Time until a failure is detected (VMware vSphere HA: 15 s without heartbeat).",
    )
    restart_vms: bool = Field(
        True,
        strict=True,
        description="Whether VMs of a failed host are restarted on other hosts, higher priority "
        "first; otherwise they wait for its repair.",
    )
    restart_vms_of_isolated_hosts: bool = Field(
        False,
        strict=True,
        description="Whether an isolated host powers off its VMs so that they are restarted "
        "elsewhere; otherwise they keep running unreachable and count as down.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "FailuresPart":
        """Refuse two entries of one name, and restarts without restarts.

        The errors point to ``failures`` as a whole.
        """
        names = [entry.name for entry in self.entries]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise problem(f"{name!r} is the name of two entries; make the names unique")
        if self.restart_vms_of_isolated_hosts and not self.restart_vms:
            message = "restart_vms_of_isolated_hosts restarts VMs elsewhere, which needs "
            raise problem(f"{message}restart_vms: true")
        return self
