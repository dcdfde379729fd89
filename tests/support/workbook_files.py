"""Write small workbooks (xlsx) without a library, with whatever may be odd in them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

from farmsim.scenarios.inventory_files.sheets import Cell

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    "</Types>"
)


def letters(column: int) -> str:
    """Return the letters of a column, from 0: A, B, …, Z, AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def sheet_xml(rows: Sequence[Sequence[Cell]], shared: dict[str, int], more: str = "") -> str:
    """Return the XML of a sheet; texts are added to the shared ones. ``more`` are further rows."""
    names = [letters(at) for at in range(max(map(len, rows), default=0))]
    lines = [f"<worksheet {_MAIN}><sheetData>"]
    for number, row in enumerate(rows, 1):
        cells = []
        for at, cell in enumerate(row):
            name = f"{names[at]}{number}"
            if cell is None or cell == "":
                continue
            if isinstance(cell, str):
                cells.append(
                    f'<c r="{name}" t="s"><v>{shared.setdefault(cell, len(shared))}</v></c>'
                )
            elif isinstance(cell, datetime):
                serial = (cell - datetime(1899, 12, 30)).total_seconds() / 86_400
                cells.append(f'<c r="{name}"><v>{serial}</v></c>')
            else:
                cells.append(f'<c r="{name}"><v>{cell}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return "".join([*lines, more, "</sheetData></worksheet>"])


def workbook_of(xml: Mapping[str, str], shared: Sequence[str] = ()) -> bytes:
    """Return a workbook of sheets whose XML is given."""
    names = list(enumerate(xml, 1))
    sheets = "".join(f'<sheet name="{escape(n)}" sheetId="{at}" r:id="r{at}"/>' for at, n in names)
    relations = "".join(
        f'<Relationship Id="r{at}" Type="{_OFFICE}/relationships/worksheet" '
        f'Target="worksheets/sheet{at}.xml"/>'
        for at, _ in names
    )
    texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_OFFICE}/relationships">'
        f"<sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'{relations}<Relationship Id="s" Type="{_OFFICE}/relationships/sharedStrings" '
        'Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f"<sst {_MAIN}>{texts}</sst>",
    }
    parts |= {f"xl/worksheets/sheet{at}.xml": xml[name] for at, name in names}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def workbook_bytes(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """Return a workbook of some rows per sheet."""
    shared: dict[str, int] = {}
    xml = {name: sheet_xml(rows, shared) for name, rows in sheets.items()}
    return workbook_of(xml, list(shared))
