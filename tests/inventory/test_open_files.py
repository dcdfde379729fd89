"""Opening of files: sizes that are checked first, damaged and foreign files, encodings, folders."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from inventories import DATA
from workbook_files import sheet_xml, workbook_bytes, workbook_of

from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.inventory.findings import Finding, Severity, capped
from farmsim.scenarios.inventory_files import workbooks
from farmsim.scenarios.inventory_files.open_files import open_files, opened_file
from farmsim.scenarios.inventory_files.sheets import Rows

SMALL: Rows = [["VM", "CPUs"], ["a", 2.0]]


def rows_of(book: bytes, sheet: str = "s") -> Rows:
    found = opened_file(book, "book.xlsx", "book.xlsx").sheet(sheet)
    assert found is not None
    return found.rows


def book_with(more: str) -> bytes:
    """Return a workbook whose sheet has further rows as XML."""
    shared: dict[str, int] = {}
    return workbook_of({"s": sheet_xml(SMALL, shared, more)}, list(shared))


def test_a_sheet_that_declares_a_million_rows_is_read() -> None:
    empty = '<row r="1048576" s="1" customFormat="1"><c r="XFD1048576" s="0"/></row>'
    assert rows_of(book_with(empty)) == SMALL
    every = "".join(f'<row r="{at}"><c r="A{at}" s="0"/></row>' for at in range(3, 60_000))
    assert rows_of(book_with(every)) == SMALL


@pytest.mark.parametrize(
    ("more", "cell"),
    [
        ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', "XFD1048576"),
        ("<row r='1048576'><c r = 'xfd1048576'><v>1</v></c></row>", "xfd1048576"),
        ('<row r="1048576"><c r="ZZ1048576" t="str"><v>x</v></c></row>', "ZZ1048576"),
    ],
)
def test_a_value_far_from_the_table_is_refused_before_it_is_laid_out(more: str, cell: str) -> None:
    with pytest.raises(InputError, match=f"cells up to {cell}.*delete cells far from the table"):
        rows_of(book_with(more))


def test_only_the_sheets_that_are_read_are_checked() -> None:
    far = sheet_xml(SMALL, {}, '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    shared: dict[str, int] = {}
    book = workbook_of({"s": sheet_xml(SMALL, shared), "vFileInfo": far}, list(shared))
    assert rows_of(book) == SMALL
    with pytest.raises(InputError, match=r"book\.xlsx, vFileInfo"):
        rows_of(book, "vFileInfo")


def test_cells_without_names_and_empty_ones_between() -> None:
    book = book_with('<row><c><v>5</v></c><c/><c t="b"><v>1</v></c></row>')
    assert rows_of(book) == [["VM", "CPUs", ""], ["a", 2.0, ""], [5.0, "", True]]


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", 5_000)
    with pytest.raises(InputError, match="unpacks to more than"):
        rows_of(book_with("<!--" + "x" * 10_000 + "-->"))


def test_a_workbook_that_states_a_smaller_size_than_it_has_is_refused() -> None:
    book = bytearray(book_with("<!--" + "x" * 100_000 + "-->"))
    with zipfile.ZipFile(io.BytesIO(bytes(book))) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    packed = struct.pack("<I", size)
    assert book.count(packed) >= 1
    with pytest.raises(InputError, match="damaged workbook"):
        rows_of(bytes(book.replace(packed, struct.pack("<I", 100))))


def test_long_texts_that_many_cells_share_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 100_000
    book = workbook_bytes({"s": [["VM", "Note"], *([f"{at}", long] for at in range(50))]})
    assert len(rows_of(book)) == 51
    monkeypatch.setattr(workbooks, "MAX_TEXT_BYTES", 4_000_000)
    with pytest.raises(InputError, match="repeats a very long text"):
        rows_of(book)


def _ole(name: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + name.encode("utf-16-le")


def _ods() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (_ole("EncryptedPackage"), "protected by a password"),
        (_ole("Workbook"), "old Excel file .*save it as xlsx"),
        (_ods(), "OpenDocument.*xlsx or as CSV"),
        (workbook_bytes({"s": SMALL})[:-40], "damaged"),
        (b"PK\x03\x04" + bytes(50), "damaged"),
        (b"\x1f\x8b\x08" + bytes(50), "gzip.*unpack it"),
        (bytes(range(256)) * 4 + bytes(4000), "binary file"),
        ("VM;CPUs\na;2\n".encode("utf-16")[:-1], "not UTF-16 text"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "RVTools.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as refused:
        open_files([path])
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_tables_in_every_encoding(separator: str, encoding: str) -> None:
    text = f"VM{separator}Größe\nä{separator}1,5\n\nb{separator}2\n"
    file = opened_file(text.encode(encoding), "export.csv", "export.csv")
    assert file.kind == "table"
    wanted = [["VM", "Größe"], ["ä", "1,5"], [], ["b", "2"]]
    if separator != ",":
        assert list(file.sheets[0].rows) == wanted
    assert file.sheets[0].rows[0] == ["VM", "Größe"]


def test_a_table_that_names_its_separator() -> None:
    file = opened_file(b"sep=;\nVM;CPUs\na;2\n", "x.csv", "x.csv")
    assert file.sheets[0].rows[0] == ["VM", "CPUs"]
    assert file.sheets[0].first_row == 2


def test_kinds_names_and_hashes(tmp_path: Path) -> None:
    for month in ("jan", "feb"):
        (tmp_path / month).mkdir()
        (tmp_path / month / "RVTools.csv").write_text(f"VM,CPUs\n{month},2\n")
    (tmp_path / "a.json").write_text('{"data": []}')
    (tmp_path / "b.txt").write_text("no table here\nat all\n")
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    files = open_files([tmp_path])
    assert [(file.name, file.kind) for file in files] == [
        ("a.json", "json"),
        ("b.txt", "text"),
        (f"{tmp_path}/feb/RVTools.csv", "table"),
        (f"{tmp_path}/jan/RVTools.csv", "table"),
    ]
    assert files[0].json() == {"data": []}
    assert files[1].json() is None
    assert len({file.sha256 for file in files}) == 4
    with pytest.raises(InputError, match="no such file or folder"):
        open_files([tmp_path / "absent.xlsx"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file with one of the endings"):
        open_files([tmp_path / "empty"])


def test_the_first_row_of_a_sheet_is_counted_as_a_spreadsheet_does() -> None:
    book = workbook_bytes({"s": [[], [], [None, "VM", "CPUs"], [None, "a", 2.0], [None, " "]]})
    sheet = opened_file(book, "b.xlsx", "b.xlsx").sheets[0]
    assert sheet.first_row == 3
    assert [list(row) for row in sheet.rows] == [["VM", "CPUs"], ["a", 2.0]]


def test_a_real_workbook_in_a_zip_is_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(DATA / "rvtools_v4_ui.xlsx", "RVTools.xlsx")
        archive.writestr("notes.pdf", "%PDF")
    (file,) = open_files([tmp_path / "export.zip"])
    assert (file.name, file.kind) == ("RVTools.xlsx", "workbook")
    assert file.sha256 == open_files([DATA / "rvtools_v4_ui.xlsx"])[0].sha256


def test_findings_of_one_code_are_capped() -> None:
    many = [Finding("A", Severity.INFO, "x", f"m{at}", objects=(f"o{at}",)) for at in range(30)]
    kept = capped([*many, Finding("B", Severity.INFO, "x", "b")], most=3)
    assert [each.code for each in kept] == ["A", "A", "A", "B"]
    assert kept[2].message == "m2; the same holds for 27 more"
    assert len(kept[2].objects) == 28
