"""Write the scenario of an imported farm, with comments that say where each value comes from."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from textwrap import wrap
from typing import Any, Final

from ...models.base.catalogue import MIB_PER_GIB
from ...models.base.lazy_dataclass import dataclass
from ...models.hardware.memory_power import extra_power
from ...models.hardware.server import servers
from ...models.hardware.server_match import match
from ..errors.terminal_text import one_line
from ..inventory.findings import Finding, Severity
from ..language.units import write
from .host_groups import HostGroup
from .mapping import ServerPattern

LEVELS: Final = {
    "A": "same server model and processor",
    "B": "same processor, median of published servers",
    "B2": "same processor, only idle and full load published",
    "C": "nearest processors of the same generation",
    "D": "servers of the same years, by core",
}
WIDTH: Final = 100
USABLE: Final = 0.95
"""Share of the listed memory of a host that VMs may take, where nothing else is said."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off"}
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True)
class GroupPower:
    """Where the power of a group of hosts comes from.

    ``level`` is that of a match (A to D), ``given`` where the user says it, or empty: not known.
    ``power`` is a power model as the language writes it, ``extra_w`` what is added at every load,
    ``ssj_ops`` the operations per second at full load, from which work per MHz follows.
    """

    level: str
    power: Mapping[str, Any] | None
    extra_w: float
    basis: str
    band: float | None = None
    ssj_ops: float | None = None


def power_of(group: HostGroup, said: ServerPattern | None) -> GroupPower:
    """Return the power of a group: what the user says, else the nearest published curve."""
    host = group.first
    if said is not None:
        if said.server is not None:
            server = servers()[said.server]
            basis = f"--map: curve of {said.server}"
            ops = server.max_ops if server.cores == host.cores else None
            return GroupPower("given", _table(server.watts), said.extra_power, basis, ssj_ops=ops)
        power = said.model_dump(mode="json", by_alias=True)["power"]
        return GroupPower("given", power, said.extra_power, "--map")
    if group.assumed and not host.cpu_model:
        curve = _table(servers()["dell_r740_8280"].watts)
        return GroupPower("assumed", curve, 0.0, "of dell_r740_8280, for want of any host")
    found = match(host.cpu_model, host.model, host.sockets, host.cores, group.clock_mhz)
    if found is None:
        return GroupPower("", None, 0.0, f"no published curve is near {host.cpu_model or 'it'}")
    names = "; ".join(found.candidates[:2]) + (" …" if len(found.candidates) > 2 else "")
    basis = (
        f"level {found.level} ({LEVELS[found.level]}), +-{found.band:.0%}: "
        f"{found.results} {'result' if found.results == 1 else 'results'}, {names}"
    )
    memory_gib = group.memory_mib / MIB_PER_GIB
    extra = extra_power(memory_gib, found.memory_gib, found.memory_kind)
    return GroupPower(
        found.level,
        _table(found.watts),
        round(extra.watts.typical, 1),
        basis,
        found.band,
        found.max_ops,
    )


def _table(watts: Iterable[float]) -> dict[str, Any]:
    """Return measured watts as a power model."""
    return {"model": "table", "watts": [round(each, 1) for each in watts]}


def power_findings(groups: Sequence[HostGroup], powers: Sequence[GroupPower]) -> list[Finding]:
    """Tell of groups whose power is not known, or known only from afar."""
    findings = []
    unknown = [group for group, power in zip(groups, powers, strict=True) if power.power is None]
    if unknown:
        models = sorted({group.first.cpu_model or "no processor named" for group in unknown})
        findings.append(
            Finding(
                "POWER_UNKNOWN",
                Severity.ERROR,
                ", ".join(group.name for group in unknown[:5]),
                f"no published power curve is near {', '.join(models[:5])}",
                "power has to be given before the scenario runs: with --map, or at power: in it",
                tuple(host.name for group in unknown for host in group.hosts),
            )
        )
    far = [group for group, power in zip(groups, powers, strict=True) if power.level in ("C", "D")]
    if far:
        findings.append(
            Finding(
                "POWER_BY_GENERATION",
                Severity.INFO,
                ", ".join(group.name for group in far[:5]),
                f"power of {sum(len(each.hosts) for each in far):,} of "
                f"{sum(len(each.hosts) for each in groups):,} hosts is that of other processors "
                "of their generation or years",
                "their energy may differ by 35 % (level C) or 65 % (level D)",
                tuple(host.name for group in far for host in group.hosts),
            )
        )
    return findings


@dataclass(frozen=True)
class ScenarioFacts:
    """What the scenario says besides its hosts.

    ``head`` are lines of comment at its top; ``source`` is the source of the load as the language
    writes it, ``source_note`` what it rests on. ``duration_s`` is that of the run. ``usable`` is
    the share of memory that VMs may take, of the hosts by name whose the map gives.
    """

    name: str
    description: str
    head: Sequence[str]
    source: str
    source_note: str
    duration_s: float
    has_rules: bool
    may_be_unplaced: bool
    has_sites: bool = False
    incomplete: Sequence[str] = ()
    gaps: str = ""
    usable: Mapping[str, float] = field(default_factory=dict)


def scenario_text(
    facts: ScenarioFacts, groups: Sequence[HostGroup], powers: Sequence[GroupPower]
) -> str:
    """Return the scenario as YAML with comments."""
    lines = [*(comment(line) for line in facts.head), "farmsim: 1", f"name: {quoted(facts.name)}"]
    lines += [f"description: {quoted(facts.description)}", ""]
    lines += [f"run: {{duration: {_duration(facts.duration_s)}}}", "", "farm:"]
    lines += _clusters(groups)
    lines += ["  hosts:"]
    for group, power in zip(groups, powers, strict=True):
        lines += _group(facts, group, power)
    lines += ["", "workload:", "  vms_file: vms.csv          # one row per VM, as inventoried"]
    lines += [comment(facts.source_note, "  "), f"  source: {facts.source}"]
    lines += [f"  gaps: {facts.gaps}"] if facts.gaps else []
    lines += [
        "",
        "policies:",
        "  # VMs start where they stand, and stay: no control policy is set.",
    ]
    lines += ["  initial:", "    placement: recorded", "    count_by: demand"]
    if facts.may_be_unplaced:
        lines += [
            "    # Not all VMs have a host listed here that they stand on: those that fit on none "
            "do not run.",
            "    unplaced: reject",
        ]
    if facts.incomplete:
        lines += ["", "planning:"]
        lines += ["  # Host rows of these are missing: no utilisation, N-1 or headroom figures."]
        lines += _flow("  incomplete_clusters: ", map(quoted, facts.incomplete), "")
    if facts.has_rules:
        lines += ["", "constraints_file: rules.csv  # rules of the inventory"]
    lines += ["", "baseline: {type: none}       # this farm is what others are compared with", ""]
    return "\n".join(lines)


def _clusters(groups: Sequence[HostGroup]) -> list[str]:
    """Return the lines of the clusters; none where no host has one."""
    names = sorted({group.cluster for group in groups if group.cluster})
    if not names:
        return []
    lines = ["  clusters:"]
    for name in names:
        own = [quoted(group.name) for group in groups if group.cluster == name]
        lines += _flow(f"    - {{name: {quoted(name)}, hosts: ", own, "}")
    return lines


def _group(facts: ScenarioFacts, group: HostGroup, power: GroupPower) -> list[str]:
    """Return the lines of a group of hosts."""
    host, count = group.first, len(group.hosts)
    kind = ", ".join(filter(None, (host.vendor, host.model, host.cpu_model)))
    said = f"{count} x {kind or 'hosts of a kind that the file does not name'}"
    lines = []
    if group.assumed:
        lines.append("    # NOT IN THE FILE: assumed, so that VMs whose hosts have no row can run.")
    lines += [comment(said, "    ")]
    lines += _flow(
        f"    - name: {quoted(group.name)}\n      names: ", map(quoted, _names(group)), ""
    )
    lines += [
        "      server:",
        f"        cores: {host.cores}",
        f"        sockets: {host.sockets or 1}"
        + ("" if host.sockets else "  # not in the file, assumed"),
        f"        clock: {write(group.clock_mhz, 'frequency')}",
        f"        memory: {write(group.memory_mib, 'memory')}",
        comment(f"power: {power.basis}", "        "),
    ]
    if power.power is None:
        lines += [
            "        # Power is not known. Write it here before the scenario runs, for example:",
            "        #   power: {model: linear, idle: 120 W, max: 380 W}",
        ]
    else:
        lines += [f"        power: {_flow_map(power.power)}"]
    if power.ssj_ops:
        lines += [f"        ssj_ops: {power.ssj_ops:.0f}"]
    if power.extra_w:
        if power.level != "given":
            lines += ["      # Estimate: memory beyond that of the published result."]
        lines += [f"      extra_power: {write(power.extra_w, 'power')}"]
    lines += [
        "      # No overhead is added: the CPU in use of the inventory includes the hypervisor's.",
    ]
    if group.memory_overcommit == 1:
        lines += ["      hypervisor: ideal"]
    else:
        lines += [
            "      # VMs here are configured with more memory than the host has. They are taken to",
            "      # give back what they do not use (ballooning), and not to be swapped.",
            "      hypervisor: {based_on: ideal, change: {memory: {ballooning_share: 1}}}",
            f"      memory_overcommit: {group.memory_overcommit:g}",
        ]
    lines += _ceilings(facts, group)
    if facts.has_sites and (site := host.datacentre or host.site):
        lines += [f"      site: {quoted(site)}"]
    if not host.in_service:
        lines += ["      in_service: false        # in maintenance, or disconnected"]
    return lines


def _ceilings(facts: ScenarioFacts, group: HostGroup) -> list[str]:
    """Return the lines of the memory that VMs may take: what the map says, else USABLE.

    VMs that stand where more is in use stay: ceilings hold for those that are placed.
    """
    said = [facts.usable[host.name] for host in group.hosts if host.name in facts.usable]
    if said:
        share = min([*said, *([USABLE] if len(said) < len(group.hosts) else [])])
        note = "Usable memory: as --map says."
    else:
        share = USABLE
        note = (
            f"Usable memory: {write(share, 'share')} of what the inventory lists, the rest is the "
            "hypervisor's. A judgement: change it, here or with --map."
        )
    return [comment(note, "      "), f"      ceilings: {{memory: {write(share, 'share')}}}"]


def _duration(duration_s: float) -> str:
    """Return a time in days where it is whole ones."""
    days = duration_s / 86_400
    return f"{days:.0f} d" if days == int(days) else str(write(duration_s, "time"))


def _names(group: HostGroup) -> list[str]:
    return [host.name for host in group.hosts]


def _flow(start: str, items: Iterable[str], end: str) -> list[str]:
    """Return a flow sequence behind a start, wrapped."""
    text = f"{start}[{', '.join(items)}]{end}"
    first, _, last = text.rpartition("\n")
    indent = " " * (len(last) - len(last.lstrip()) + 4)
    wrapped = wrap(
        last, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    if any(mark in last for mark in ('"', "'")):
        wrapped = [last]  # a break inside quotes would change the text
    return [*([first] if first else []), *wrapped]


def _flow_map(power: Mapping[str, Any]) -> str:
    """Return a power model in flow style."""
    return json.dumps(power, ensure_ascii=False).replace('"', "")


def quoted(text: str) -> str:
    """Return a text as a scalar of YAML, in double quotes where it needs them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_escaped(each) for each in text) + '"'


def _escaped(character: str) -> str:
    """Return a character as it stands in double quotes."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def comment(text: str, indent: str = "") -> str:
    """Return a text as lines of comment."""
    plain = one_line(text)
    return "\n".join(
        wrap(plain, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        or [f"{indent}#"]
    )
