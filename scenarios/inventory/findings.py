"""Findings: what is wrong or unknown in an inventory, and what that does to answers."""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from ...models.base.lazy_dataclass import dataclass


class Severity(StrEnum):
    """How much a finding matters; with ``--strict`` a warning or an error ends with code 1."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One fact about the data. ``code`` is stable: ``HOST_ROW_MISSING``.

    ``where`` names file, sheet and row, or the object; ``message`` says what is so, with numbers;
    ``effect`` what it does to answers. ``objects`` are the hosts, VMs or clusters that it is about.
    """

    code: str
    severity: Severity
    where: str
    message: str
    effect: str = ""
    objects: tuple[str, ...] = ()


def capped(findings: Iterable[Finding], most: int = 20) -> list[Finding]:
    """Return findings of which a code stands at most so often, in their order.

    The last of a code that is met more often says of how many others the same holds.
    """
    kept: list[Finding] = []
    places: dict[str, list[int]] = {}
    more: dict[str, list[Finding]] = {}
    for each in findings:
        found = places.setdefault(each.code, [])
        if len(found) < most:
            found.append(len(kept))
            kept.append(each)
        else:
            more.setdefault(each.code, []).append(each)
    for code, others in more.items():
        at = places[code][-1]
        objects = tuple(name for each in others for name in each.objects)
        kept[at] = replace(
            kept[at],
            message=f"{kept[at].message}; the same holds for {len(others):,} more",
            objects=kept[at].objects + objects,
        )
    return kept
