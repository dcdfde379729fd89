"""Read workbooks (xlsx), which may come from anywhere: sizes are checked before anything is read.

python-calamine lays out a sheet as a rectangle from its first to its last cell and unpacks members
whole. So the sizes that the archive states are added up and checked, and the cells of a sheet are
located in its XML, before it is read. Formulas are not evaluated: their last results are read.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from ..errors.problems import InputError, refuse
from .sheets import Rows, Sheet

T = TypeVar("T")

MAX_UNPACKED_BYTES = 200_000_000
MAX_CELLS = 4_000_000
"""Cells of the rectangle of a sheet: 40,000 VMs with 98 columns."""
MAX_TEXT_BYTES = 1_000_000_000
"""Texts of a sheet, where a long one may be repeated in many cells."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError,
    NotImplementedError,
)  # fmt: skip
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def refuse_other_books(content: bytes, shown: str) -> None:
    """Raise InputError for encrypted and old workbooks, and for those of other programs."""
    if content.startswith(_OLE):
        if b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e" in content:
            raise refuse(shown, "is protected by a password; save it again without one, as xlsx")
        raise refuse(shown, "is an old Excel file (xls); save it as xlsx")
    if content.startswith(b"PK") and b"mimetypeapplication/vnd.oasis" in content[:200]:
        raise refuse(shown, "is an OpenDocument file; save it as xlsx or as CSV")


def is_workbook(content: bytes) -> bool:
    """Whether some bytes are an archive that holds a workbook. Raises nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.startswith("xl/workbook") for name in archive.namelist())
    except _DAMAGED:
        return False


def sheets_of(content: bytes, name: str, shown: str) -> tuple[Sheet, ...]:
    """Return the sheets of a workbook, each to be read when it is asked for. Raises InputError."""
    book = _Book(content, shown)
    return tuple(Sheet(name, each, partial(book.rows, each)) for each in book.names)


class _Book:
    """A workbook that has passed its checks of size."""

    def __init__(self, content: bytes, shown: str) -> None:
        self._shown = shown
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
            entries = self._archive.infolist()
        except _DAMAGED as error:
            raise _damaged(shown, error) from None
        if any(each.flag_bits & 1 for each in entries):
            raise refuse(shown, "is protected by a password; save it again without one")
        if len({each.filename for each in entries}) < len(entries):
            raise refuse(shown, "names a part twice; save it again as xlsx")
        if sum(each.file_size for each in entries) > MAX_UNPACKED_BYTES:
            raise refuse(
                shown,
                f"unpacks to more than {MAX_UNPACKED_BYTES // 10**6} MB; "
                "delete sheets that are not needed",
            )
        self._parts = {each.filename: each.file_size for each in entries}
        for part in self._parts:
            if not part.startswith("xl/worksheets/"):
                self._bytes(part)  # what is longer than it says ends here
        self._workbook = self._opened(content)
        self.names = tuple(self._workbook.sheet_names)
        self._members = self._members_of_sheets()

    def rows(self, sheet: str) -> tuple[Rows, int]:
        """Return the rows of a sheet and the number of the first. Raises InputError."""
        where = f"{self._shown}, {sheet}"
        member = self._members.get(sheet)
        if member is None:
            raise refuse(where, "cannot be found in the workbook; save it again as xlsx")
        self._refuse_large(where, self._bytes(member))

        def read() -> tuple[Rows, int]:
            found = self._workbook.get_sheet_by_name(sheet)
            start = found.start
            return found.to_python(), (start[0] if start else 0) + 1

        return _of_calamine(read, where)

    def _bytes(self, part: str) -> bytes:
        """Return a part of the archive, which has the length that the archive states."""
        try:
            with self._archive.open(part) as stream:
                return stream.read()
        except _DAMAGED as error:
            raise _damaged(self._shown, error) from None

    def _opened(self, content: bytes) -> Any:
        """Return the workbook of calamine."""
        from python_calamine import CalamineWorkbook  # noqa: PLC0415 - only imports need it

        return _of_calamine(
            lambda: CalamineWorkbook.from_filelike(io.BytesIO(content)), self._shown
        )

    def _members_of_sheets(self) -> dict[str, str]:
        """Return the part of the archive that holds each sheet, by its name."""
        from xml.etree import ElementTree  # noqa: PLC0415 - only imports need it

        try:
            book = ElementTree.fromstring(self._bytes("xl/workbook.xml"))
            relations = ElementTree.fromstring(self._bytes("xl/_rels/workbook.xml.rels"))
        except ElementTree.ParseError as error:
            raise _damaged(self._shown, error) from None
        targets = {each.get("Id"): each.get("Target") or "" for each in relations}
        found = {}
        for each in book.iter():
            if each.tag.endswith("}sheet") or each.tag == "sheet":
                target = targets.get(each.get(_RELATION)) or ""
                part = target[1:] if target.startswith("/") else f"xl/{target}"
                if part in self._parts:
                    found[each.get("name") or ""] = part
        return found

    def _refuse_large(self, where: str, xml: bytes) -> None:
        """Raise InputError if a sheet would take too much memory."""
        if not xml.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            raise refuse(where, "is not UTF-8; save the workbook again as xlsx")
        columns = set(re.findall(rb' r="([A-Z]{1,3})[0-9]', xml))
        rows = max(map(int, re.findall(rb' r="([0-9]{1,9})"', xml)), default=0)
        in_order = len(re.findall(rb"<c[ >/]", xml)) == len(re.findall(rb'<c r="', xml))
        widest = max(map(_column, columns), default=0)
        if not in_order or rows * widest > MAX_CELLS or b":c " in xml or b":c>" in xml:
            _refuse_far(where, xml)
        shared = self._parts.get("xl/sharedStrings.xml", 0)
        if shared > 1 << 16:
            self._refuse_repeated(where, xml)

    def _refuse_repeated(self, where: str, xml: bytes) -> None:
        """Raise InputError if long texts that many cells share would fill the memory."""
        texts = [len(text) for text in self._bytes("xl/sharedStrings.xml").split(b"</si>")]
        if max(texts) * xml.count(b"<v>") <= MAX_TEXT_BYTES:
            return
        shared = re.findall(rb't="s"[^>]*><v>([0-9]{1,9})</v>', xml)
        if len(shared) < xml.count(b't="s"'):
            shared = re.findall(rb"<v>([0-9]{1,9})</v>", xml)
        if sum(texts[int(at)] for at in shared if int(at) < len(texts)) > MAX_TEXT_BYTES:
            raise refuse(where, "repeats a very long text in many cells; delete that column")


def _refuse_far(where: str, xml: bytes) -> None:
    """Raise InputError if the cells with values span too large a rectangle."""
    left = top = 1 << 40
    right = bottom = 0
    far = b""
    for text, row, column in _filled_cells(xml):
        if row > bottom or column > right:
            far = text
        left, top = min(left, column), min(top, row)
        right, bottom = max(right, column), max(bottom, row)
    area = max(right - left + 1, 0) * max(bottom - top + 1, 0)
    if area > MAX_CELLS:
        raise refuse(
            where,
            f"spans {area:,} cells up to {far.decode('ascii', 'replace')}, of which "
            f"{MAX_CELLS:,} can be read; delete cells far from the table, or the sheet",
        )


def _filled_cells(xml: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, row and column of each cell that holds something; of some that do not."""
    row = column = 0
    for found in re.finditer(rb"<(?:\w+:)?(row|c)\b([^>]*)>", xml):
        name = re.search(rb"""(?:^|\s)r\s*=\s*["']([A-Za-z]*)([0-9]{0,9})["']""", found[2])
        if found[1] == b"row":
            row, column = int(name[2]) if name and name[2] else row + 1, 0
            continue
        if name and name[1] and name[2]:
            row, column = int(name[2]), _column(name[1].upper())
        else:
            column += 1
        if not found[2].endswith(b"/"):
            yield (name[1] + name[2] if name else b"its end"), row, column


def _column(letters: bytes) -> int:
    """Return the number of a column by its letters: 1 for A, 28 for AB."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _of_calamine(read: Callable[[], T], where: str) -> T:
    """Return what calamine reads. Raises InputError for whatever it fails with.

    A panic of its Rust code comes as an exception that is not an :class:`Exception`.
    """
    from python_calamine import CalamineError  # noqa: PLC0415 - only imports need it

    try:
        return read()
    except (CalamineError, *_DAMAGED, TypeError, OverflowError) as error:
        raise _damaged(where, error) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(where, error) from None


def _damaged(where: str, error: BaseException) -> InputError:
    """Return what is said of a workbook that cannot be read."""
    told = str(error).splitlines()[0].rstrip(".")[:100] if str(error) else "it is truncated"
    return refuse(where, f"is a damaged workbook ({told}); save it again as xlsx")
