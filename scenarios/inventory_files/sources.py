"""Begin an inventory of some files: what they are, and how far their format is known."""

from collections.abc import Sequence

from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory, Source
from .sheets import InputFile


def begun(
    files: Sequence[InputFile], name: str, dialect: str = "", experimental: bool = False
) -> Inventory:
    """Return an inventory that holds only its sources, and a finding if the format is new.

    ``name`` is that of the format. ``experimental`` formats are known from other importers.
    """
    inventory = Inventory(
        sources=[
            Source(each.name, each.sha256, name, dialect, experimental=experimental)
            for each in files
        ]
    )
    if experimental:
        inventory.findings.append(
            Finding(
                "FORMAT_EXPERIMENTAL",
                Severity.INFO,
                ", ".join(each.name for each in files),
                f"farmsim knows the format {name} from descriptions and from other importers, "
                "not from files of users",
                "compare the number of hosts and VMs, and a few sizes, with what you know",
            )
        )
    return inventory
