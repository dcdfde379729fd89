"""Findings: what is wrong or unknown in an inventory, and what that does to answers."""

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
