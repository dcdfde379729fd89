"""Replace names by numbered ones that later imports with the same key give again.

A name is known by a keyed hash (HMAC-SHA-256). The key, and the number that each hash was given,
are kept in a file outside the output. New names are numbered in the order of their hashes, which
says nothing of the names. The key file holds no name; who has it can test whether a name that is
guessed is among them, so it is to be kept as the inventory itself is.
"""

import hmac
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ..errors.problems import refuse
from ..files.atomic_replace import replace_text
from ..inventory.findings import Finding
from ..inventory.inventory import Inventory, Rule

WRITTEN: Final = "farmsim anonymise key"
KINDS: Final = ("vm", "host", "cluster", "datacentre", "site", "rule", "file")
_DIGITS: Final = {"vm": 4, "host": 3}
_ROW: Final = re.compile(r",? rows? \d[\d, ]*")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|«[^»]*»")


class Aliases:
    """Names that stand for others, by kind.

    Parameters
    ----------
    key
        The secret that hashes are made with.
    numbers
        The number of each hash that has been given one, by kind.
    """

    def __init__(self, key: bytes, numbers: dict[str, dict[str, int]] | None = None) -> None:
        self._key = key
        self._numbers = {kind: dict((numbers or {}).get(kind, {})) for kind in KINDS}
        self._known: dict[tuple[str, str], str] = {}

    @classmethod
    def read(cls, path: Path) -> "Aliases":
        """Return the names of a key file, or new ones where there is none.

        Raises InputError if the file is no key file.
        """
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return cls(secrets.token_bytes(32))
        except (OSError, UnicodeDecodeError):
            raise refuse(str(path), _NO_KEY) from None
        try:
            data = json.loads(text)
            if data["content"] != WRITTEN:
                raise refuse(str(path), _NO_KEY)
            numbers = {
                kind: {str(name): int(number) for name, number in data["numbers"][kind].items()}
                for kind in KINDS
            }
            return cls(bytes.fromhex(data["key"]), numbers)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise refuse(str(path), _NO_KEY) from None

    def write(self, path: Path) -> None:
        """Write the key file, whole or not at all. Raises InputError if it cannot be written."""
        data = {"content": WRITTEN, "key": self._key.hex(), "numbers": self._numbers}
        replace_text(path, json.dumps(data) + "\n", is_key_file, "a key file")
        path.chmod(0o600)

    def learn(self, kind: str, names: Iterable[str | None]) -> None:
        """Give a number to each name of a kind that has none yet, in the order of the hashes."""
        numbers = self._numbers[kind]
        hashes = {self.hash_of(kind, name): name for name in set(names) if name}
        following = max(numbers.values(), default=0) + 1
        for each in sorted(set(hashes) - set(numbers)):
            numbers[each] = following
            following += 1
        for each, name in hashes.items():
            digits = _DIGITS.get(kind, 2)
            self._known[kind, name] = f"{kind}-{numbers[each]:0{digits}d}"

    def alias(self, kind: str, name: str | None) -> str | None:
        """Return what stands for a name that was learned; None for None."""
        return self._known[kind, name] if name else None

    def any_alias(self, name: str) -> str | None:
        """Return what stands for a name of any kind, None for one that is not known."""
        return next((known for kind in KINDS if (known := self._known.get((kind, name)))), None)

    def text(self, text: str) -> str:
        """Return a text in which known names are replaced, and what is quoted from cells too."""
        text = _QUOTED.sub(lambda found: f"'{self.any_alias(found[0][1:-1]) or '…'}'", text)
        for name in sorted(self._long_names(text), key=len, reverse=True):
            text = re.sub(
                rf"(?<![\w-]){re.escape(name)}(?![\w-])", self.any_alias(name) or "", text
            )
        return text

    def _long_names(self, text: str) -> list[str]:
        """Return the known names that occur in a text, other than inside longer words."""
        tokens = {each.strip(".,:;()") for each in re.findall(r"[^\s,:;()]+", text)}
        spaced = [name for _, name in self._known if " " in name or "," in name or "(" in name]
        found = {token for token in tokens if self.any_alias(token)}
        return [*found, *(name for name in spaced if name in text)]

    def hash_of(self, kind: str, name: str) -> str:
        """Return the keyed hash of a name; upper and lower case are one name."""
        text = f"{kind}\0{name.lower()}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, sha256).hexdigest()[:20]


_NO_KEY: Final = "is not a key file of farmsim; give another path with --key"


def is_key_file(path: Path) -> bool:
    """Whether a file is a key file that farmsim wrote."""
    with path.open("rb") as file:
        return WRITTEN.encode() in file.read(100)


def anonymise(inventory: Inventory, aliases: Aliases) -> tuple[dict[str, str], dict[str, str]]:
    """Replace all names of an inventory, and drop what could tell of whom it is.

    Kept are sizes, use, models of servers and processors, operating systems and restart priorities;
    ids and resource pools are dropped. Objects are sorted by their new names, so that their order
    tells nothing. Return the new key of each VM and the new name of each host by the old one.
    """
    learn_names(inventory, aliases)
    alias = aliases.alias
    keys = _new_keys(inventory, aliases)
    hosts = {host.name: alias("host", host.name) or "" for host in inventory.hosts}
    rows = _rows(inventory, aliases)
    inventory.hosts[:] = sorted(
        (
            replace(
                host,
                name=hosts[host.name],
                row=rows(host.row),
                cluster=alias("cluster", host.cluster),
                datacentre=alias("datacentre", host.datacentre),
                site=alias("site", host.site),
                source_id=None,
            )
            for host in inventory.hosts
        ),
        key=lambda host: (host.name, host.row),
    )
    inventory.vms[:] = sorted(
        (
            replace(
                vm,
                key=keys[vm.key],
                name=alias("vm", vm.name) or "",
                row=rows(vm.row),
                cluster=alias("cluster", vm.cluster),
                host=alias("host", vm.host),
                datacentre=alias("datacentre", vm.datacentre),
                site=alias("site", vm.site),
                source_id=None,
                resource_pool=None,
            )
            for vm in inventory.vms
        ),
        key=lambda vm: (vm.name, vm.key),
    )
    inventory.clusters[:] = [
        replace(
            each,
            name=alias("cluster", each.name) or "",
            row=rows(each.row),
            datacentre=alias("datacentre", each.datacentre),
        )
        for each in inventory.clusters
    ]
    inventory.rules[:] = [
        Rule(
            each.kind,
            alias("rule", each.name) or "",
            tuple(keys[key] for key in each.members if key in keys),
            tuple(alias("host", name) or "" for name in each.hosts),
        )
        for each in inventory.rules
    ]
    by_kind: dict[str, Callable[[str], str | None]] = {
        "vm": lambda name: keys.get(name) or alias("vm", name),
        "host": lambda name: alias("host", name),
        "cluster": lambda name: alias("cluster", name),
    }
    inventory.series[:] = [
        replace(each, object=by_kind[each.kind](each.object) or "") for each in inventory.series
    ]
    inventory.sources[:] = [
        replace(each, file=alias("file", each.file) or "") for each in inventory.sources
    ]
    inventory.snapshots[:] = [
        replace(each, file=", ".join(source.file for source in inventory.sources))
        for each in inventory.snapshots
    ]
    inventory.findings[:] = [anonymous(each, aliases) for each in inventory.findings]
    return keys, hosts


def learn_names(inventory: Inventory, aliases: Aliases) -> None:
    """Give numbers to all names of an inventory.

    Findings may tell of names that are changed later, so that names are learned as they are read.
    """
    hosts, vms, series = inventory.hosts, inventory.vms, inventory.series
    everything: list[Any] = [*hosts, *vms]

    def measured(kind: str) -> list[str]:
        return [each.object for each in series if each.kind == kind]

    fenced = [name for rule in inventory.rules for name in rule.hosts]
    keys = {vm.key for vm in vms}
    aliases.learn("vm", (vm.name for vm in vms))
    aliases.learn("vm", (name for name in measured("vm") if name not in keys))
    aliases.learn(
        "host",
        [*(each.name for each in hosts), *(vm.host for vm in vms), *fenced, *measured("host")],
    )
    clusters = [*(each.cluster for each in everything), *(each.name for each in inventory.clusters)]
    aliases.learn("cluster", [*clusters, *measured("cluster")])
    datacentres = [*everything, *inventory.clusters]
    aliases.learn("datacentre", [each.datacentre for each in datacentres])
    aliases.learn("site", [each.site for each in everything])
    aliases.learn("rule", [each.name for each in inventory.rules])
    aliases.learn("file", [each.file for each in inventory.sources])


def _new_keys(inventory: Inventory, aliases: Aliases) -> dict[str, str]:
    """Return the new key of each old one: the new name, numbered where several VMs have it."""
    seen: Counter[str] = Counter()
    keys = {}
    for vm in sorted(inventory.vms, key=lambda vm: aliases.hash_of("vm", vm.key)):
        name = aliases.alias("vm", vm.name) or ""
        seen[name] += 1
        keys[vm.key] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return keys


def _rows(inventory: Inventory, aliases: Aliases) -> Callable[[str], str]:
    """Return what makes ``file-01, sheet`` of ``file, sheet, row 7``.

    Files are often sorted by name, so that the number of a row would tell of it.
    """
    files = sorted({each.file for each in inventory.sources}, key=len, reverse=True)

    def renamed(row: str) -> str:
        for file in files:
            if row.startswith(file):
                return f"{aliases.alias('file', file)}{_ROW.sub('', row[len(file) :])}"
        return ""

    return renamed


def anonymous(finding: Finding, aliases: Aliases) -> Finding:
    """Return a finding without names; texts quoted from cells are left out of it."""
    return replace(
        finding,
        where=aliases.text(finding.where),
        message=aliases.text(finding.message),
        effect=aliases.text(finding.effect),
        objects=tuple(aliases.any_alias(name) or "…" for name in finding.objects),
    )
