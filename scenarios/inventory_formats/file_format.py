"""What farmsim has to know of a format of inventories to read it."""

from collections.abc import Callable, Sequence

from ...models.base.lazy_dataclass import dataclass
from ..inventory.inventory import Inventory
from ..inventory_files.columns import ReadOptions
from ..inventory_files.sheets import InputFile

Group = Sequence[InputFile]
"""Files that together are one inventory of one instant, such as a folder of CSV files."""


@dataclass(frozen=True)
class FileFormat:
    """A format. ``name`` is what it is called in messages and in ``import.json``.

    ``recognise`` returns those of the files that are of this format, in groups of files that belong
    together; it looks at their content, never at their names, and raises InputError only for a
    sheet that cannot be read. ``read`` returns the inventory of one such group, with scopes and
    joins not yet checked; it raises InputError. ``experimental`` formats are known from other
    importers only, not from whole files. A ``fallback`` is asked only about files that no other
    format recognises, such as tables of VMs with any headers.
    """

    name: str
    recognise: Callable[[Sequence[InputFile]], Sequence[Group]]
    read: Callable[[Group, ReadOptions], Inventory]
    experimental: bool = False
    fallback: bool = False
