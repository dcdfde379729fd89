"""Run CloudSim Plus and DSLab on the same inputs as farmsim, where they are installed.

``python benchmarks/peers/compare_peers.py cloudsim-plus`` builds a program against CloudSim Plus
with Maven, which takes the library from your repository; ``dslab --checkout FOLDER`` builds one
against a copy of DSLab with Cargo. Programs are built in ``--build FOLDER``. Inputs are written as
CSV; then the peer and farmsim run in turn, ``--repeats`` times. Results are compared where both
have them, and a table is printed, with the versions, which ``--markdown PAGE`` writes into
docs/performance.md.

A time is CPU time of the whole process, user and system together, its start included, the lowest of
the repeats; memory is the highest resident set. farmsim writes its tables and its report as well.
Exits with code 2 and says what is missing if a peer cannot be built.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import lives  # noqa: E402
import page_tables  # noqa: E402
import speed_inputs  # noqa: E402
from timed import Used, used  # noqa: E402

SERIES, SLOTS, STEP_S = 1_000, 288, 300
RETRY_S = 60

Figures = dict[str, float]


class Case(NamedTuple):
    """An input for a peer: what it is, hosts, VMs, and the load of the farm if VMs come and go."""

    what: str
    hosts: int
    vms: int
    load: float = 0


class Peer(NamedTuple):
    """How a peer is told apart, built and run.

    ``tools`` are the commands that it needs; ``build`` makes a command in a folder that has a copy
    of its program, and returns that with the version of the peer; ``write`` writes the inputs and
    returns the arguments for the command and the scenario for farmsim; ``compared`` is the result
    beside the number of VMs, with how farmsim's summary gives it.
    """

    name: str
    tools: tuple[str, ...]
    build: Callable[[Path, Path | None], tuple[list[str], str]]
    write: Callable[[Path, Case], tuple[list[str], tuple[str, ...]]]
    compared: str
    ours: Callable[[dict[str, Any]], float]
    cases: tuple[Case, ...]


def no_moves(folder: Path, case: Case) -> tuple[list[str], tuple[str, ...]]:
    """Write a day of random load for VMs that stay where they are, in a wide table."""
    percent = np.random.default_rng(1).integers(0, 101, (SLOTS, SERIES))
    lines = [",".join(["time", *(f"s{n}" for n in range(SERIES))])]
    lines += [",".join(map(str, [n * STEP_S, *row])) for n, row in enumerate(percent.tolist())]
    (folder / "load.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    server = {
        "cores": 32, "clock": "2.5 GHz", "memory": "256 GiB",
        "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
    }  # fmt: skip
    source = {"type": "csv", "path": "load.csv", "unit": "percent"}
    parts = {
        "name": "no-moves",
        "run": {"duration": "24 h"},
        "farm": {"hosts": [{"name": "h", "server": server, "count": case.hosts}]},
        "workload": {
            "source": source, "match_series_by": "cycle", "vms": case.vms,
            "sizes": [speed_inputs.STANDARD],
        },
        "policies": {
            "initial": {"placement": "round_robin", "count_by": "size"},
            "every": "5 min", "control": "none",
        },
    }  # fmt: skip
    arguments = [str(folder / "load.csv"), str(case.hosts), str(case.vms)]
    return arguments, speed_inputs.written(folder, parts)


def come_and_go(folder: Path, case: Case) -> tuple[list[str], tuple[str, ...]]:
    """Write VMs with lifetimes, and DSLab's configuration without delays of its own.

    VMs that wait are tried again every :data:`RETRY_S`, as that is how DSLab lets them wait.
    """
    farm = lives.Farm(case.vms, case.hosts, case.load)
    given = speed_inputs.written(folder, lives.invented("lives", farm, folder))
    settings = {
        "send_stats_period": 3600.0, "message_delay": 0.0, "allocation_retry_period": RETRY_S,
        "vm_start_duration": 0.0, "vm_stop_duration": 0.0, "allow_vm_overcommit": "false",
        "network_throughput": 1, "vm_allocation_timeout": 1e9,
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\n" for name, value in settings.items())
    (folder / "config.yaml").write_text(lines, encoding="utf-8")
    files = [str(folder / "config.yaml"), str(folder / "lives.csv")]
    return [*files, str(case.hosts), str(farm.duration_s)], given


def built_java(folder: Path, _: Path | None) -> tuple[list[str], str]:
    """Build the Java program with Maven; return its command and the version of CloudSim Plus."""
    goals = ["package", "dependency:copy-dependencies", "-DoutputDirectory=libraries"]
    _build(["mvn", "--batch-mode", "--quiet", *goals], folder)
    text = (folder / "pom.xml").read_text("utf-8")
    found = re.search(r"<cloudsimplus.version>(.*)</cloudsimplus.version>", text)
    path = f"{folder / 'target' / 'classes'}:{folder / 'libraries'}/*"
    return ["java", "-cp", path, "NoMoves"], f"CloudSim Plus {found[1] if found else ''}"


def built_rust(folder: Path, checkout: Path | None) -> tuple[list[str], str]:
    """Build the Rust program with Cargo; return its command and the commit of the copy of DSLab."""
    if checkout is None or not (checkout / "crates" / "dslab-iaas" / "Cargo.toml").is_file():
        _missing("dslab needs --checkout FOLDER, a copy of DSLab's repository")
    link = folder / "checkout"
    link.unlink(missing_ok=True)
    link.symlink_to(checkout.resolve(), target_is_directory=True)
    _build(["cargo", "build", "--release", "--quiet"], folder)
    asked = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return [str(folder / "target" / "release" / "lives")], f"DSLab {commit or 'unknown'}"


def _build(command: list[str], folder: Path) -> None:
    """Run a build in a folder; exit with code 2 if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        _missing(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _missing(message: str) -> None:
    """Say what is missing and exit with code 2."""
    print(message, file=sys.stderr)
    raise SystemExit(2)


PEERS = {
    "cloudsim-plus": Peer(
        "cloudsim_plus", ("java", "mvn"), built_java, no_moves, "energy_kwh",
        lambda summary: float(summary["energy_kwh"]["value"]),
        (
            Case("288 samples of 10,000 VMs, no moves", 1_000, 10_000),
            Case("288 samples of 50,000 VMs, no moves", 5_000, 50_000),
        ),
    ),
    "dslab": Peer(
        "dslab", ("cargo",), built_rust, come_and_go, "vcpu_hours",
        # Of a vCPU of 2 GHz every VM asks for half.
        lambda summary: float(summary["work_served_ghz_h"]["value"]),
        (
            Case("20,000 VMs that come and go, 1,000 hosts, 17 % full", 1_000, 20_000, 0.17),
            Case("20,000 VMs that come and go, 200 hosts, full", 200, 20_000, 1.2),
            Case("5,000 VMs that come and go, 50 hosts, full", 50, 5_000, 1.2),
        ),
    ),
}  # fmt: skip


def measured(
    peer: Peer, command: list[str], case: Case, repeats: int, compiled: Path
) -> tuple[list[Used], list[Used], Figures, dict[str, Any]]:
    """Run a peer and farmsim in turn; return what they took, and the results of both."""
    theirs, ours, summary = [], [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments, given = peer.write(folder, case)
        run = [sys.executable, "-m", "farmsim", "run", *given, "--quiet", "--out"]
        # A first run that does not count compiles modules and fills the caches of the disk.
        for repeat in range(repeats + 1):
            theirs.append(used([*command, *arguments], folder, compiled))
            ours.append(used([*run, str(folder / f"run-{repeat}")], folder, compiled))
            summary = json.loads((folder / f"run-{repeat}" / "summary.json").read_text("utf-8"))
    return theirs[1:], ours[1:], json.loads(theirs[-1].printed), summary


def row(peer: Peer, title: str, case: Case, repeats: int, command: list[str]) -> page_tables.Row:
    """Return the row of a case: times, memory, and how far results are apart."""
    with tempfile.TemporaryDirectory() as compiled:
        theirs, ours, told, summary = measured(peer, command, case, repeats, Path(compiled))
    their_s, our_s = (min(each.cpu_s for each in side) for side in (theirs, ours))
    their_mib, our_mib = (max(each.peak_mib for each in side) for side in (theirs, ours))
    value = peer.ours(summary)
    apart = 100 * (value / told[peer.compared] - 1)
    return (
        case.what, title, f"{their_s:.2f}", f"{their_mib:,.0f}", f"{our_s:.2f}", f"{our_mib:,.0f}",
        f"{their_s / our_s:.2f}", f"{told['vms']:,.0f}, {summary['vms_ran']['value']:,.0f}",
        f"{apart:+.2f} % {peer.compared.replace('_', ' ')}",
    )  # fmt: skip


def main() -> None:
    """Build a peer, run it beside farmsim and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--checkout", type=Path, help="your copy of DSLab's repository")
    parser.add_argument(
        "--build", type=Path, help="folder that keeps what is built; default: a temporary one"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each that count")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write the page's table anew")
    options = parser.parse_args()
    peer = PEERS[options.peer]
    if missing := [tool for tool in peer.tools if shutil.which(tool) is None]:
        _missing(f"{options.peer} needs {', '.join(missing)}: install it, or leave this peer out")
    with tempfile.TemporaryDirectory() as name:
        folder = (options.build or Path(name)).resolve() / peer.name
        shutil.copytree(HERE / peer.name, folder, dirs_exist_ok=True)
        command, title = peer.build(folder, options.checkout)
        rows: list[page_tables.Row] = [(
            "work", "peer", "its CPU, s", "MiB", f"farmsim {version('farmsim')} CPU, s", "MiB",
            "times as fast", "VMs that ran", "farmsim's result",
        )]  # fmt: skip
        for case in peer.cases:
            rows.append(row(peer, title, case, options.repeats, command))
            print(rows[-1][0], file=sys.stderr, flush=True)
    print(page_tables.aligned(rows))
    if options.markdown:
        block = f"peer-{options.peer}"
        page_tables.renew(options.markdown, {block: page_tables.markdown(rows)})


if __name__ == "__main__":
    main()
