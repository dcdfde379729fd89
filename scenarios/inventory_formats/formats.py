"""The formats of inventories that farmsim reads, and which one a file is in."""

from collections.abc import Sequence

from ..errors.problems import InputError, Problem
from ..inventory_files.sheets import InputFile
from ..inventory_platforms import libvirt, openstack, prometheus, proxmox
from . import azure_migrate, live_optics, nutanix, rvtools, vrops
from .file_format import FileFormat, Group

FORMATS: tuple[FileFormat, ...] = (
    FileFormat("RVTools", rvtools.recognise, rvtools.read),
    FileFormat(vrops.NAME, vrops.recognise, vrops.read),
    FileFormat(azure_migrate.NAME, azure_migrate.recognise, azure_migrate.read, experimental=True),
    FileFormat(live_optics.NAME, live_optics.recognise, live_optics.read, experimental=True),
    FileFormat(nutanix.NAME, nutanix.recognise, nutanix.read, experimental=True),
    FileFormat(proxmox.NAME, proxmox.recognise, proxmox.read, experimental=True),
    FileFormat(openstack.NAME, openstack.recognise, openstack.read, experimental=True),
    FileFormat(libvirt.NAME, libvirt.recognise, libvirt.read, experimental=True),
    FileFormat(prometheus.NAME, prometheus.recognise, prometheus.read, experimental=True),
)
"""Each format, in the order in which messages list them."""


def recognised(files: Sequence[InputFile]) -> list[tuple[FileFormat, Group]]:
    """Return the format of each group of files that belong together.

    Raises InputError for files that no format or more than one recognises, all at once.
    """
    found = [
        (each, group) for each in FORMATS if not each.fallback for group in each.recognise(files)
    ]
    left = [file for file in files if not any(file is member for _, g in found for member in g)]
    found += [(each, group) for each in FORMATS if each.fallback for group in each.recognise(left)]
    problems = []
    for file in files:
        names = [each.name for each, group in found if any(file is member for member in group)]
        if not names:
            problems.append(Problem(file.shown, "", _unknown(file)))
        elif len(names) > 1:
            problems.append(
                Problem(file.shown, "", f"could be {' or '.join(names)}; give its sheets apart")
            )
    if problems:
        raise InputError(problems)
    return found


def _unknown(file: InputFile) -> str:
    """Return what is said of a file that no format recognises."""
    held = f"its sheets are {', '.join(each.name for each in file.sheets)}; " if file.sheets else ""
    known = ", ".join(each.name for each in FORMATS)
    return f"is a {file.kind} file of no known format; {held}known formats: {known}"
