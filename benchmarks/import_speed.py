"""Measure ``farmsim import`` on generated RVTools workbooks: CPU time and peak memory.

    python benchmarks/import_speed.py [VMS HOSTS]...

Default: 5,000 VMs on 500 hosts and 20,000 on 1,000. The workbooks have the sheets vInfo (98
columns), vCPU, vDisk, vHost and vCluster; names, sizes and use are invented. The as-is check, the
page and all tables are part of what is measured.
"""

import argparse
import random
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from timed import Used, used

Cell = str | float | int
CPUS = (
    ("Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz", 2, 32, 2295, 523_594),
    ("Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", 2, 28, 2600, 524_200),
    ("AMD EPYC 7763 64-Core Processor", 2, 128, 2450, 1_048_000),
)
HOSTS_A_CLUSTER = 20
PLAIN_COLUMNS = 82
"""Columns of vInfo that an import does not need."""


def workbook(path: Path, vms: int, hosts: int) -> None:
    """Write a workbook of so many VMs and hosts; the same numbers give the same file."""
    draw = random.Random(1)
    kinds = [CPUS[(host // HOSTS_A_CLUSTER) % len(CPUS)] for host in range(hosts)]
    clusters = [f"Cluster-{host // HOSTS_A_CLUSTER:03d}" for host in range(hosts)]
    home = [at % hosts for at in range(vms)]
    vcpus = [draw.choice((1, 2, 2, 4, 4, 8)) for _ in range(vms)]
    memory = [draw.choice((4096, 8192, 8192, 16_384, 32_768)) for _ in range(vms)]
    used = [round(draw.uniform(0.02, 0.3) * n * 2300) for n in vcpus]
    on_host: list[list[int]] = [[] for _ in range(hosts)]
    for at, host in enumerate(home):
        on_host[host].append(at)
    name = [f"vm-{at:06d}" for at in range(vms)]
    place = [f"esx-{host:04d}.example.net" for host in range(hosts)]
    info = [
        ["VM", "Powerstate", "Template", "SRM Placeholder", "Connection state", "CPUs", "Memory",
         "Total disk capacity MiB", "HA Restart Priority", "Datacenter", "Cluster", "Host",
         "OS according to the configuration file", "VM ID", "VM UUID", "VI SDK Server",
         *(f"Custom {column}" for column in range(PLAIN_COLUMNS))],
        *([name[at], "poweredOn", "False", "False", "connected", vcpus[at], memory[at], 102_400,
           "medium", "DC", clusters[home[at]], place[home[at]], "Linux", f"vm-{at}",
           f"4200-{at:08d}", "vc.example.net", *(f"text {at % 7}" for _ in range(PLAIN_COLUMNS))]
          for at in range(vms)),
    ]  # fmt: skip
    cpu = [
        ["VM", "Powerstate", "Template", "CPUs", "Overall", "Cluster", "Host", "VM ID", "VM UUID"],
        *([name[at], "poweredOn", "False", vcpus[at], used[at], clusters[home[at]],
           place[home[at]], f"vm-{at}", f"4200-{at:08d}"] for at in range(vms)),
    ]  # fmt: skip
    disk = [["VM", "Disk", "Capacity MiB", "VM ID", "VM UUID"]]
    disk += [[name[at], "Hard disk 1", 102_400, f"vm-{at}", f"4200-{at:08d}"] for at in range(vms)]
    host_rows: list[list[Cell]] = [
        ["Host", "Datacenter", "Cluster", "CPU Model", "Speed", "HT Available", "HT Active",
         "# CPU", "Cores per CPU", "# Cores", "CPU usage %", "# Memory", "Memory usage %", "# VMs",
         "# vCPUs", "vRAM", "Vendor", "Model", "VI SDK Server", "in Maintenance Mode"],
    ]  # fmt: skip
    for host, (model, sockets, cores, mhz, mib) in enumerate(kinds):
        own = on_host[host]
        share = round(100 * 1.08 * sum(used[at] for at in own) / (cores * mhz))
        host_rows.append(
            [place[host], "DC", clusters[host], model, mhz, "True", "True", sockets,
             cores // sockets, cores, share, mib, 60, len(own), sum(vcpus[at] for at in own),
             sum(memory[at] for at in own), "Maker", "Model 1", "vc.example.net", "False"]
        )  # fmt: skip
    sheets = {"vInfo": info, "vCPU": cpu, "vDisk": disk, "vHost": host_rows}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        _write_parts(book, sheets)


def _write_parts(book: zipfile.ZipFile, sheets: dict[str, list[list[Cell]]]) -> None:
    """Write the parts of a workbook; texts are shared, as spreadsheets write them."""
    texts: dict[str, int] = {}
    names = list(sheets)
    for at, rows in enumerate(sheets.values(), 1):
        book.writestr(f"xl/worksheets/sheet{at}.xml", "".join(_sheet(rows, texts)))
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    book.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(names, 1)
    )
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    book.writestr(
        "xl/workbook.xml",
        f'<workbook {space} xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
    )
    package = "http://schemas.openxmlformats.org/package/2006"
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{office}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(names) + 1)
    )
    links += f'<Relationship Id="rId99" Type="{office}/sharedStrings" Target="sharedStrings.xml"/>'
    book.writestr(
        "xl/_rels/workbook.xml.rels",
        f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
    )
    book.writestr(
        "_rels/.rels",
        f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    book.writestr(
        "[Content_Types].xml",
        f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        f'ContentType="{kind}.worksheet+xml"/><Default Extension="rels" ContentType="'
        'application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>',
    )


def _sheet(rows: Sequence[Sequence[Cell]], texts: dict[str, int]) -> Iterable[str]:
    """Yield the XML of a sheet, and give each new text its number."""
    yield '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    columns = [_letters(at) for at in range(max(map(len, rows)))]
    for number, row in enumerate(rows, 1):
        cells = []
        for column, cell in zip(columns, row, strict=False):
            if isinstance(cell, str):
                cells.append(
                    f'<c r="{column}{number}" t="s"><v>{texts.setdefault(cell, len(texts))}</v></c>'
                )
            else:
                cells.append(f'<c r="{column}{number}"><v>{cell}</v></c>')
        yield f'<row r="{number}">{"".join(cells)}</row>'
    yield "</sheetData></worksheet>"


def _letters(at: int) -> str:
    """Return the letters of a column, counted from 0."""
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(65 + at % 26)


def measure(book: Path, folder: Path) -> Used:
    """Return CPU time and peak memory of one import into a new directory of a folder."""
    command = [sys.executable, "-m", "farmsim", "import", str(book), "-o", "farm", "--quiet"]
    return used(command, folder, folder / "compiled")


def main() -> None:
    """Measure the sizes of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, help="VMs and hosts, in pairs")
    sizes = parser.parse_args().sizes or [5000, 500, 20_000, 1000]
    print("| VMs | hosts | CPU | peak memory |\n|--:|--:|--:|--:|")
    for vms, hosts in zip(sizes[::2], sizes[1::2], strict=True):
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder) / "book.xlsx"
            workbook(book, vms, hosts)
            (Path(folder) / "compiled").mkdir()
            measure(book, Path(folder))  # compiles what is imported
            taken = measure(book, Path(folder))
        print(f"| {vms:,} | {hosts:,} | {taken.cpu_s:.1f} s | {taken.peak_mib:.0f} MiB |")


if __name__ == "__main__":
    main()
