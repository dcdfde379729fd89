"""Applications of a scenario: groups of VMs with one load to serve, and how they scale."""

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic.json_schema import JsonSchemaValue

from ...models.base.lazy_dataclass import dataclass
from ...policies.scaling.scaling import ScalingPolicy
from ..language import units
from ..language.choices import policy_slot
from ..language.fields import (
    WRITTEN_AS,
    MoneyField,
    OneOf,
    Part,
    QuantityField,
    WrittenValue,
    problem,
    problems,
)
from ..language.table_times import TimeUnit
from ..language.units import Money
from ..language.value_types import Count, Factor, FilePath, Name, Period, Seconds, Whole

REQUESTS = "requests/s"
MAX_VALUE = 1e12


@dataclass(frozen=True)
class LoadRate:
    """A rate of work in MHz, or where ``requests`` of requests per second.

    ``amount`` is 0 or more. Which of the two it is decides how it becomes MHz: a rate of requests
    is multiplied by the work of one request, which only a size with a request class states. As text
    it is written so that reading it again gives the same rate.
    """

    amount: float
    requests: bool

    def __str__(self) -> str:
        if self.requests:
            return f"{self.amount!r} {REQUESTS}"
        return str(units.write(self.amount, "frequency"))


def parse_rate(written: object) -> LoadRate:
    """Return a rate such as ``12 GHz`` or ``400 requests/s``. Raises UnitError.

    A LoadRate is returned as it is. Refused are numbers without a unit, separators of thousands,
    negative or infinite rates, and rates above MAX_VALUE.
    """
    if isinstance(written, LoadRate):
        return written
    text = written.strip() if isinstance(written, str) else ""
    number = text.removesuffix(REQUESTS).strip()
    if number == text:
        try:
            rate = LoadRate(units.parse(written, "frequency"), requests=False)
        except units.UnitError as error:
            raise units.UnitError(f"{error}; or requests: 400 {REQUESTS}") from None
    else:
        try:
            units.refuse_separators(text)
            units.refuse_grouped(number, REQUESTS)
            rate = LoadRate(float(number), requests=True)
        except units.UnitError:
            raise
        except ValueError:
            message = f"{number!r} is not a number; write, for example, 400 {REQUESTS}"
            raise units.UnitError(message) from None
    if not math.isfinite(rate.amount) or not 0 <= rate.amount <= MAX_VALUE:
        message = f"{text} is negative or infinite; write a rate of 0 or more"
        if rate.amount > 0:
            message = f"{text} is out of range; write a rate up to {MAX_VALUE:g} MHz or {REQUESTS}"
        raise units.UnitError(message)
    return rate


class Rate(WrittenValue):
    """The field type of a load rate.

    In the schema it is a text with a pattern, so that editors refuse what :func:`parse_rate`
    refuses for its form.
    """

    words = "rate of load: `12 GHz` or `400 requests/s`"

    def parse(self, written: Any) -> LoadRate:
        """Return the rate. Raises UnitError."""
        return parse_rate(written)

    def schema(self) -> JsonSchemaValue:
        """Return the pattern of a number with a unit of frequency, or with ``requests/s``."""
        return {
            "type": "string",
            "pattern": rf"^\s*[+0-9.eE]+\s*(GHz|MHz|{REQUESTS})\s*$",
            "examples": ["12 GHz", f"400 {REQUESTS}"],
            WRITTEN_AS: "load rate",
        }


LoadRateField = Annotated[LoadRate, Rate()]
Between = Literal["hold", "linear"]
BETWEEN = "Whether a value holds until the next one or changes linearly."
TimeOfDay = Annotated[float, Field(ge=0, lt=86_400), QuantityField("time")]


class ConstantRate(Part):
    """The same load at all times.

    Use it to find how many members a known load needs: `{type: constant, rate: 12 GHz}`.
    """

    type: Literal["constant"]
    rate: LoadRateField = Field(description="The load.")


class TableRate(Part):
    """A load given at instants.

    Before the first instant and after the last the load keeps its first and last value. Write it
    for a load with a few turning points: `{type: table, times: [0 h, 8 h, 18 h], rates: [4 GHz, 20
    GHz, 6 GHz]}`.
    """

    FORMER_FIELDS: ClassVar = {"between": "interpolation"}
    FORMER_VALUES: ClassVar = {"interpolation": {"line": "linear"}}

    type: Literal["table"]
    times: tuple[Seconds, ...] = Field(
        min_length=1, description="Instants from the start of the run, ascending."
    )
    rates: tuple[LoadRateField, ...] = Field(
        min_length=1, description="The load at each of these instants."
    )
    interpolation: Between = Field("linear", description=BETWEEN)

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        """Refuse another number of rates than times, and times that do not ascend.

        The error points to ``rates`` or to ``times`` of the load.
        """
        if len(self.times) != len(self.rates):
            message = f"has {len(self.rates)} entries, times {len(self.times)}; write one for each"
            raise problems([(("rates",), message)])
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise problems([(("times",), "do not ascend; sort them and write each once")])
        return self


class FileRate(Part):
    """A load from a CSV table with a column of times and one of values.

    Use it for a load from your own monitoring: `{type: csv, path: shop.csv, value: requests, unit:
    requests/s}`. Values are 0 or more and times ascend; a gap is refused and never filled.
    """

    FORMER_FIELDS: ClassVar = {"between": "interpolation"}
    FORMER_VALUES: ClassVar = {"interpolation": {"line": "linear"}}

    type: Literal["csv"]
    path: FilePath = Field(description="The file, relative to the scenario.")
    time: Name = Field(
        "time", description="Column of the time: numbers, or ISO 8601; the first row is the start."
    )
    time_unit: TimeUnit | None = Field(
        None,
        description="Unit of numeric times; default: recognised as in traces, seconds or Unix.",
    )
    value: Name = Field("load", description="Column of the load.")
    unit: Literal["GHz", "MHz", "requests/s"] = Field("GHz", description="Unit of the values.")
    interpolation: Between = Field("hold", description=BETWEEN)


class DailyRate(Part):
    """A load with a daily cycle; the run starts on a Monday at 00:00.

    Between peak and trough it follows a cosine. It suits a first estimate, where only the two
    values are known: `{type: daily, peak: 40 GHz, trough: 8 GHz, weekend: 0.5}`. The default time
    of the peak is 14:00.
    """

    type: Literal["daily"]
    peak: LoadRateField = Field(description="Highest load of a day.")
    trough: LoadRateField = Field(description="Lowest load of a day, twelve hours after the peak.")
    peak_at: TimeOfDay = Field(50_400.0, description="Time of day of the peak.")
    weekend: Annotated[Factor, Field(ge=0)] = Field(
        1.0, description="Factor on the load of Saturdays and Sundays."
    )


class LoadEvent(Part):
    """A temporary change of the load by a factor.

    Use it for a campaign or a broadcast on top of any load: `{from: 18 h, to: 22 h, factor: 3,
    ramp: 30 min}`. Events that overlap multiply each other. With a ramp of half its length an event
    rises and falls without a plateau.
    """

    begin: Seconds = Field(alias="from", description="Start of the evacuation.")
    end: Period = Field(alias="to", description="When it ends.")
    factor: Annotated[Factor, Field(ge=0)] = Field(description="Factor on the load at full effect.")
    ramp: Seconds = Field(
        0.0, description="Time to ramp up to full effect, and to ramp down again."
    )

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        """Refuse an event that ends before it begins, or never reaches its height."""
        if self.end <= self.begin:
            raise problems([(("to",), "is not after from; write a later time")])
        if 2 * self.ramp > self.end - self.begin:
            raise problems([(("ramp",), "is more than half of the event; shorten it")])
        return self


class CoolDown(Part):
    """Cool-down times after scaling.

    They keep a policy from reacting to its own change before it shows. The defaults are those of
    Kubernetes: none before another scale-out, 300 s before a scale-in. A longer one makes scaling
    calmer and dearer.
    """

    out: Seconds = Field(0.0, description="Minimum time between two scale-outs.")
    in_: Seconds = Field(
        300.0, alias="in", description="Minimum time from any change to a scale-in."
    )


class Penalty(Part):
    """Penalty for load that is not served.

    Without it, load that is not served is counted and costs nothing. An example: `{price: 0.01 EUR,
    per: request}`, which needs a size with a request class.
    """

    price: Annotated[Money, MoneyField()] = Field(description="Price of one.")
    per: Literal["GHz h", "request"] = Field("GHz h", description="Of what.")


LoadField = Annotated[ConstantRate | TableRate | FileRate | DailyRate, OneOf("type")]


class ApplicationPart(Part):
    """A group of VMs, `name-1`, `name-2` and so on, that share one load.

    Use it for services that are scaled, by a policy or by a schedule; a VM with a load of its own
    belongs to `workload`. Rules and results call the members by their names. An example: `{name:
    web, size: small, max_members: 20, load: {type: constant, rate: 12 GHz}, scaling:
    target_utilisation}`.
    """

    FORMER_FIELDS: ClassVar = {
        "start": "initial_members",
        "minimum": "min_members",
        "maximum": "max_members",
        "balance": "load_balancing",
        "leaves_first": "scale_in_order",
        "protected": "protected_members",
    }
    FORMER_VALUES: ClassVar = {
        "scale_in_order": {"newest": "newest_first", "oldest": "oldest_first"}
    }

    name: Name = Field(description="Name of the application.")
    size: Name = Field(description="Size of its members, one of `workload.sizes`.")
    min_members: Count = Field(1, description="Minimum number of members.")
    max_members: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        description="Maximum number of members."
    )
    initial_members: Count | None = Field(
        None, description="Members at time 0; default: the minimum."
    )
    load: LoadField = Field(description="Load of all members together.")
    events: tuple[LoadEvent, ...] = Field((), description="Temporary changes of the load.")
    load_balancing: Literal["round_robin", "least_loaded"] = Field(
        "least_loaded",
        description="How the load is distributed over members: in equal parts, or to equal "
        "utilisation.",
    )
    scaling: Annotated[ScalingPolicy | None, policy_slot("scaling")] = Field(
        None, description="Scaling policy; default: the number of members stays as at the start."
    )
    cool_down: CoolDown = Field(
        CoolDown.model_construct(),
        description="Cool-down times after scaling; the defaults are those of Kubernetes.",
    )
    scale_in_order: Literal["newest_first", "oldest_first"] = Field(
        "newest_first",
        description="Which members a scale-in stops first; members that are still starting always "
        "go first.",
    )
    protected_members: Whole = Field(
        0, description="Number of members that no scale-in stops: those that have run longest."
    )
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000)] = Field(
        0, description="Priority of the members when waiting for a host; higher goes first."
    )
    penalty: Penalty | None = Field(None, description="Penalty for load that is not served.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Refuse numbers of members out of order, and rates in two units.

        Each number is refused at its own field; rates in two units at the application, since either
        unit may be meant.
        """
        if self.max_members < self.min_members:
            message = (
                f"{self.max_members} is less than min_members, {self.min_members}; increase it"
            )
            raise problems([(("max_members",), message)])
        if (
            self.initial_members is not None
            and not self.min_members <= self.initial_members <= self.max_members
        ):
            message = (
                f"{self.initial_members} is not between {self.min_members} and {self.max_members}; "
                "change it"
            )
            raise problems([(("initial_members",), message)])
        if self.protected_members > self.max_members:
            message = (
                f"{self.protected_members} is more than max_members, {self.max_members}; "
                "protect fewer"
            )
            raise problems([(("protected_members",), message)])
        asks = {rate.requests for rate in self.rates}
        if len(asks) > 1:
            raise problem("rates mix GHz and requests/s; use one unit")
        return self

    @property
    def rates(self) -> tuple[LoadRate, ...]:
        """The rates that the load is written with; of a file only what 1 stands for."""
        load = self.load
        if isinstance(load, ConstantRate):
            return (load.rate,)
        if isinstance(load, TableRate):
            return load.rates
        if isinstance(load, DailyRate):
            return (load.peak, load.trough)
        return (LoadRate(1e3 if load.unit == "GHz" else 1.0, load.unit == "requests/s"),)

    @property
    def in_requests(self) -> bool:
        """Whether the load counts requests."""
        return self.rates[0].requests

    @property
    def first_members(self) -> int:
        """Members when time begins."""
        return self.min_members if self.initial_members is None else self.initial_members
