"""Import inventories into a directory: scenario, tables, record, and the page of data quality."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ...models.base.lazy_dataclass import dataclass
from ...scenarios.errors.problems import refuse
from ...scenarios.files.atomic_replace import named, replacing_directory
from ...scenarios.files.destination import refuse_directory, seal, write_json
from ...scenarios.importing.import_record import Imported, by_severity, import_record
from ...scenarios.importing.importer import LOAD, ImportOptions, import_files
from ...scenarios.importing.tables import write_load
from ..base.provenance import versions
from .as_is import AsIs, as_is, as_is_findings
from .data_quality import render
from .import_text import import_text
from .load_tiers import KnownLoad, Peaks

IMPORT: Final = "import"
"""What a directory of an import is, by its manifest."""
RECORD, PAGE = "import.json", "import.html"


@dataclass(frozen=True, eq=False)
class ImportOutcome:
    """What an import made, and where."""

    imported: Imported
    as_is: AsIs
    directory: Path

    def to_dict(self) -> dict[str, Any]:
        """Return what ``import.json`` holds."""
        return import_record(self.imported) | {
            "cpu": _known(self.as_is.known),
            "peak_coincidence": _peaks(self.as_is.peaks),
            "as_is": self.as_is.to_dict(),
        }

    def text(self) -> str:
        """Return what the terminal shows."""
        return import_text(self.imported, self.as_is.known, self.directory)

    def strict(self) -> bool:
        """Whether no finding is a warning or an error."""
        return not self.imported.worst()


def _known(known: KnownLoad | None) -> dict[str, Any] | None:
    """Return what is known of CPU over time as plain values."""
    if known is None:
        return None
    return {
        "tier": known.tier,
        "method": known.method,
        "confidence": known.confidence,
        "words": known.words,
        "remarks": list(known.remarks),
        "to_measure": list(known.to_measure),
    }


def _peaks(peaks: Peaks | None) -> list[dict[str, Any]] | None:
    """Return how far the peaks of VMs coincide, of the farm (cluster None) and of each cluster."""
    if peaks is None:
        return None
    return [
        {
            "cluster": name,
            "percentile": each.percentile,
            "peak_of_sum_mhz": each.peak_of_sum,
            "sum_of_peaks_mhz": each.sum_of_peaks,
            "share": each.share if each.sum_of_peaks > 0 else None,
        }
        for name, found in ((None, peaks.farm), *peaks.clusters.items())
        for each in found
    ]


def import_to(
    paths: Sequence[Path], directory: Path, options: ImportOptions, key_file: Path | None = None
) -> ImportOutcome:
    """Import files into a directory, whole or not at all, and return what was made.

    An earlier import there is replaced. ``key_file`` is where the names of an anonymous import are
    kept. Raises InputError if a file cannot be read, or something else is in the way.
    """
    target = named(directory)
    refuse_directory(target, IMPORT)
    if key_file is not None and target.resolve() in key_file.resolve().parents:
        raise refuse(str(key_file), f"is inside {target}; keep the key outside the output", "--key")
    imported = import_files(paths, options)
    with replacing_directory(target, IMPORT) as new:
        for name, text in imported.files.items():
            (new / name).write_text(text, "utf-8")
        if imported.load is not None:
            write_load(imported.load, new / LOAD)
        checked = as_is(imported, new)
        findings = by_severity([*imported.findings, *as_is_findings(checked)])
        outcome = ImportOutcome(replace(imported, findings=findings), checked, directory)
        write_json(new / RECORD, outcome.to_dict())
        (new / PAGE).write_text(render(outcome.imported, checked), "utf-8")
        seal(new, IMPORT, {"name": imported.name, "versions": {"farmsim": versions()["farmsim"]}})
        if key_file is not None and options.aliases is not None:
            options.aliases.write(key_file)
    return outcome
