"""Conditions that a scenario may set on its outcome, such as ``<= 5 %``.

A condition is an operator and a number; a percentage counts as a share.
"""

import re

from ...models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN
from .former_names import no_such
from .units import refuse_grouped

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CONDITION = re.compile(rf"^\s*(<=|>=|==|<|>)\s*({_NUMBER})\s*(%?)\s*$")


def read_condition(text: str) -> tuple[str, float]:
    """Return operator and limit of a condition.

    Raises ValueError for anything but one operator and one number, and for a point that could stand
    between thousands.

    Operators are ``<``, ``<=``, ``>``, ``>=`` and ``==``. ``<= 5 %`` gives ``("<=", 0.05)``.
    """
    match = _CONDITION.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a condition; write, for example, < 300 or <= 5 %")
    if not match.group(3):
        refuse_grouped(match.group(2), "")
    number = float(match.group(2))
    return match.group(1), number / 100 if match.group(3) else number


def holds(value: float, operator: str, limit: float) -> bool:
    """Whether a value satisfies a condition; exactly, without any tolerance."""
    return {
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
        "==": value == limit,
    }[operator]


def check_conditions(conditions: dict[str, str]) -> None:
    """Check names and form of all conditions.

    Names are metrics, also those that only some runs have, and savings. Raises ValueError naming
    the first wrong one.
    """
    known = [*METRICS, *WHERE_KNOWN, *SAVINGS]
    for name, text in conditions.items():
        if name not in known:
            raise ValueError(no_such("metric", name, known))
        read_condition(text)
