"""A snapshot as the source of load: how a scenario names what is known, and what is assumed.

What is made of it is in ``models/workload/snapshot_series.py``.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from ...models.workload.load_band import (
    DEFAULT_PROFILE,
    FEWEST,
    Band,
    Profile,
    band,
    mean_band,
    p95_of_snapshots,
)
from ...models.workload.snapshot_series import HOUR_S, Kept
from ..language.fields import Part, QuantityField, problem, problems
from ..language.value_types import FilePath, Name, Share

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S = 86_400.0
Level = Literal["low", "typical", "high"]


def week_time_s(text: str) -> float:
    """Return seconds since Monday 00:00 of a date and time, or of a day and time: ``Tue 14:30``.

    A time zone is not converted: what counts is the time on the clock where the farm is used.
    Raises ValueError for anything else.
    """
    day, _, clock = text.strip().partition(" ")
    if day[:3].capitalize() in DAYS and day.isalpha():
        at = datetime.strptime(clock.strip(), "%H:%M")
        return DAYS.index(day[:3].capitalize()) * DAY_S + at.hour * HOUR_S + at.minute * 60
    moment = datetime.fromisoformat(text.strip())
    return moment.weekday() * DAY_S + moment.hour * HOUR_S + moment.minute * 60 + moment.second


def _at_known_time(text: str | None) -> str | None:
    """Refuse what names no time of a week."""
    if text is not None:
        try:
            week_time_s(text)
        except ValueError:
            message = (
                f"{text!r} is no time; write a date and time, such as 2026-03-02 14:30, or a day "
                "of the week and time, such as Tue 14:30"
            )
            raise problem(message) from None
    return text


TimeOfWeek = Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class SnapshotSum(Part):
    """The CPU in use of a farm or a cluster at one of several instants."""

    mhz: Annotated[float, Field(ge=0), QuantityField("frequency")] = Field(
        description="CPU in use, summed over all VMs (or hosts)."
    )
    at: TimeOfWeek | None = Field(
        None,
        description="Date and time of the snapshot; sums of several clusters at one time are "
        "added up for the farm.",
    )
    cluster: Name | None = Field(
        None, description="Cluster that the sum is of; default: the whole farm."
    )

    _known_time = field_validator("at")(_at_known_time)


def _factor_tag(written: object) -> str:
    """Tell the name of a point of the band from a number."""
    return "level" if isinstance(written, str) else "number"


class SnapshotLoad(Part):
    """Load of VMs of which only one instant, or a mean, is known; it needs `workload.vms_file`.

    Each VM gets the shape of whole weeks of a recorded VM, so that its use at the start of the run
    is the recorded one. How far the peak of the farm lies above a snapshot is not in the snapshot:
    `factor` assumes it, from a band that was measured on two public farms. Results for CPU are as
    uncertain as that band; compare `low`, `typical` and `high`. docs/load.md has the method.

    The use of a VM is that of the columns `cpu_used_mhz` or `cpu_share` of the table; else a part
    of what its host shows in `hosts_file`; else that of the other VMs of its cluster, per vCPU;
    else `unknown`. An example: `{type: snapshot, profile: steady, factor: high}`.
    """

    type: Literal["snapshot"]
    profile: Profile = Field(
        DEFAULT_PROFILE,
        description="What the load is like: `steady` (services with many users), `batch` (few "
        "large jobs), or `mixed` where it is not known.",
    )
    factor: Annotated[
        Annotated[Level, Tag("level")]
        | Annotated[float, Field(strict=True, ge=0.5, le=100), Tag("number")],
        Discriminator(_factor_tag),
    ] = Field(
        "typical",
        description="95th percentile of the farm's CPU use over that of the snapshot (or over the "
        "mean): a number, or `low`, `typical` or `high` of the band of the profile, "
        "or of that which `snapshots` leave.",
    )
    at: TimeOfWeek | None = Field(
        None,
        description="When the snapshot was taken: `2026-03-02 14:30` or `Tue 14:30`. The run "
        "starts then. Default: not known; an instant of the week is drawn.",
    )
    recorded: Kept = Field(
        "instant",
        description="Whether the recorded use is that of an instant, which is kept at the start "
        "of the run, or a `mean`, which is kept over the whole weeks of load.",
    )
    unknown: Share = Field(
        0.07,
        description="Share of its own CPU that a VM is taken to use of which nothing is known, not "
        "even that of its host or its cluster.",
    )
    hosts_file: FilePath | None = Field(
        None,
        description="CSV or Parquet table of the CPU in use of hosts, for VMs without a recorded "
        "use of their own: columns `host` and `cpu_used_mhz` (or `cpu_mean_mhz` with "
        "`recorded: mean`), others are ignored.",
    )
    snapshots: tuple[SnapshotSum, ...] = Field(
        (),
        description="Sums of CPU in use at several instants, from which the 95th percentile is "
        f"known better than from one; used from {FEWEST} on.",
    )

    _known_time = field_validator("at")(_at_known_time)

    @model_validator(mode="after")
    def _sums_of_one_kind(self) -> Self:
        """Refuse sums of clusters beside sums of the farm, which would count twice."""
        of_clusters = [each.cluster is not None for each in self.snapshots]
        if any(of_clusters) and not all(of_clusters):
            message = (
                "some sums are of a cluster, others of the farm; write a cluster for all or none"
            )
            raise problems([(("snapshots",), message)])
        return self

    @property
    def described(self) -> str:
        """What the load is, in words."""
        kind = "mean" if self.recorded == "mean" else "snapshot"
        return f"made of a {kind}, {self.profile} profile, factor {self.factor}"

    @property
    def at_s(self) -> float | None:
        """Seconds since Monday 00:00 at the snapshot, None if it is not known."""
        return None if self.at is None else week_time_s(self.at)

    def sums_mhz(self, cluster: str | None = None) -> list[float]:
        """Return the sums of the snapshots in MHz: of one cluster, else of the farm.

        Sums of clusters add up to the farm's by their times; without times they do not.
        """
        if cluster is not None:
            return [each.mhz for each in self.snapshots if each.cluster == cluster]
        if not any(each.cluster for each in self.snapshots):
            return [each.mhz for each in self.snapshots]
        by_time: dict[str, float] = {}
        for each in self.snapshots:
            if each.at is not None:
                by_time[each.at] = by_time.get(each.at, 0.0) + each.mhz
        return list(by_time.values())

    def factors(self, recorded_mhz: float, cluster: str | None = None) -> Band:
        """Return the band of the load factor of VMs that use ``recorded_mhz`` together.

        That of the snapshots, if they are enough, else that of the profile.
        """
        p95 = p95_of_snapshots(self.sums_mhz(cluster), self.profile)
        if p95 is not None and recorded_mhz > 0:
            return p95.times(1 / recorded_mhz)
        # The mean of a few snapshots is not that of a period: it is hardly better than one.
        of_period = self.recorded == "mean" and not self.snapshots
        return mean_band(self.profile) if of_period else band(self.profile)

    def wanted(self, recorded_mhz: float, cluster: str | None = None) -> float:
        """Return the load factor that the load is made with."""
        if isinstance(self.factor, str):
            return self.factors(recorded_mhz, cluster).named(self.factor)
        return self.factor
