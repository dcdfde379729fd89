"""Rates of load as a scenario writes them: work in GHz, or requests per second."""

import math
from typing import Any

from pydantic.json_schema import JsonSchemaValue

from ...models.base.lazy_dataclass import dataclass
from ..language import units
from ..language.fields import WRITTEN_AS, WrittenValue

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
