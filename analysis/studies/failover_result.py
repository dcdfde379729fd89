"""Result of a failover test as a sentence, a table and plain values."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from ...models.base.lazy_dataclass import dataclass
from ..base.wording import lasting
from ..report.vm_sentences import plural

KINDS = {"host": "one host", "pair": "two hosts", "rack": "rack", "site": "site"}
"""What fails, by the word for it, in the order of a report."""

NOTHING_LEFT = "no host is left"
NO_CLUSTER = "no cluster"
"""Where hosts are that belong to none."""
SHOWN = 20


RESTART_OFF = "VMs are not restarted on other hosts; they wait for the repair"


@dataclass(frozen=True)
class Stranded:
    """A VM without a host: its size, the main obstacle, and the number of hosts per obstacle.

    ``hindrances`` maps ``memory``, ``CPU``, ``power limit of the rack``, ``rule NAME`` and
    ``hypervisor, tenant or guest restriction`` to numbers of hosts; a host may count under several,
    and of equals memory is the cause. Where the VM may use any host that is left, only such hosts
    count: ``hosts`` of them.
    ``free_gib`` and ``free_ghz`` are the most that one of these has left.
    """

    vm: str
    size: str
    cause: str
    hindrances: dict[str, int]
    hosts: int = 0
    needed_gib: float = 0.0
    needed_ghz: float = 0.0
    free_gib: float = 0.0
    free_ghz: float = 0.0

    @property
    def figures(self) -> str:
        """What the VM needs of the resource that stops it, and what there is; empty for others."""
        known = {
            "memory": (self.needed_gib, self.free_gib, "GiB"),
            "CPU": (self.needed_ghz, self.free_ghz, "GHz"),
        }
        if self.cause not in known:
            return ""
        needed, free, unit = known[self.cause]
        where = "the only host" if self.hosts == 1 else f"any of the {self.hosts:,} hosts"
        return (
            f"needs {needed:.3g} {unit}, at most {free:.3g} {unit} free on {where} that it may use"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values.

        Memory in GiB, CPU in GHz.
        """
        return {
            "vm": self.vm,
            "size": self.size,
            "cause": self.cause,
            "hosts": self.hindrances,
            "hosts_it_may_use": self.hosts,
            "needed": {"memory_gib": self.needed_gib, "cpu_ghz": self.needed_ghz},
            "most_free_on_a_host": {"memory_gib": self.free_gib, "cpu_ghz": self.free_ghz},
        }


@dataclass(frozen=True)
class Failure:
    """Effect of one failure: ``vms`` lost their host, ``woken`` sleeping hosts received some.

    ``down_s`` is the longest time until one of those that restart runs again, None if none does.

    ``hosts`` and ``vms`` are counts; VMs are restarted unless they are in ``stranded``.
    ``clusters`` are those that the hosts belong to; None: the farm has none.
    """

    kind: str
    name: str
    hosts: int
    vms: int
    woken: int
    stranded: list[Stranded]
    down_s: float | None = None
    clusters: tuple[str, ...] | None = None

    @property
    def cluster(self) -> str:
        """The clusters of the hosts that fail, as a text."""
        return ", ".join(self.clusters or ())

    @property
    def figures(self) -> str:
        """Needs of the first stranded VM, and free capacity, for the resources that are lacking."""
        return next((each.figures for each in self.stranded if each.figures), "")

    @property
    def causes(self) -> str:
        """Obstacles of the stranded VMs, most frequent first."""
        counts = Counter(each.cause for each in self.stranded)
        return ", ".join(cause for cause, _ in counts.most_common())

    @property
    def stopped_by(self) -> str:
        """What stopped the stranded VMs, with the figures of the first."""
        return f"{self.causes} ({self.figures})" if self.figures else self.causes

    @property
    def label(self) -> str:
        """Kind and name; only the name if it begins with the kind."""
        return self.name if self.name.startswith(self.kind) else f"{self.kind} {self.name}"

    def lost(self) -> str:
        """Return how many VMs are lost, and of which size if all are of one."""
        count = len(self.stranded)
        sizes = {each.size for each in self.stranded}
        of_size = f" of size {sizes.pop()}" if len(sizes) == 1 else ""
        return f"{count:,} VM{'s' if count != 1 else ''}{of_size}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "hosts": self.hosts,
            "vms": self.vms,
            "restarted": self.vms - len(self.stranded),
            "woken": self.woken,
            "down_s": self.down_s,
            "stranded": [each.to_dict() for each in self.stranded],
            **({} if self.clusters is None else {"clusters": list(self.clusters)}),
        }


def called(names: Sequence[str], number: int) -> str:
    """Return the name of a cluster, negative: of none."""
    return NO_CLUSTER if number < 0 else names[number]


@dataclass(frozen=True)
class ClusterFailover:
    """What failures of single hosts and of pairs do to one cluster.

    ``hosts``, ``hosts_on`` and ``vms`` (on its hosts) are counts; ``failures`` are those of hosts
    of this cluster only; ``whole`` are the levels of which it is a single domain and the farm is
    not: a rack or site whose failure takes all of its hosts.
    """

    name: str
    hosts: int
    hosts_on: int
    vms: int
    failures: list[Failure]
    whole: list[str]

    @classmethod
    def of_all(
        cls,
        names: Sequence[str],
        number: int,
        counts: tuple[int, int, int],
        failures: Sequence[Failure],
        whole: list[str],
    ) -> "ClusterFailover":
        """Return the part of all failures that is one cluster's, negative for hosts in none.

        ``counts`` are hosts, hosts on and VMs.
        """
        name = called(names, number)
        own = [
            each for each in failures if each.kind in ("host", "pair") and each.clusters == (name,)
        ]
        return cls(name, *counts, own, whole)

    @property
    def label(self) -> str:
        """What a text calls it."""
        return f"hosts in {NO_CLUSTER}" if self.name == NO_CLUSTER else f"cluster {self.name}"

    def of(self, kind: str) -> list[Failure]:
        """Return the failures of a kind."""
        return [failure for failure in self.failures if failure.kind == kind]

    def outcome(self, kind: str) -> str:
        """Say what became of the failures of a kind; empty where none was tried."""
        tried = self.of(kind)
        worst = max(tried, key=lambda failure: len(failure.stranded), default=None)
        if worst is None:
            return ""
        if not worst.stranded:
            return f"survives any {KINDS[kind]}"
        hurt = sum(bool(each.stranded) for each in tried)
        what = {"host": "hosts", "pair": "pairs of hosts"}[kind]
        return (
            f"{hurt:,} of {len(tried):,} {what} strand VMs, at worst {worst.lost()} if "
            f"{_named(worst)}: {worst.causes}"
        )

    def sentence(self) -> str:
        """Say what the cluster survives, and which racks and sites it is in as a whole."""
        said = [text for kind in ("host", "pair") if (text := self.outcome(kind))]
        if self.hosts == 1:
            said.append("has one host: if it fails, nothing is left")
        elif self.whole:
            single = " and a single ".join(self.whole)
            said.append(f"is in a single {single}: if it fails, nothing is left")
        return "; ".join(said) or "holds no VM"

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        worst = {
            kind: max((len(each.stranded) for each in self.of(kind)), default=None)
            for kind in ("host", "pair")
        }
        return {
            "name": self.name,
            "hosts": self.hosts,
            "hosts_on": self.hosts_on,
            "vms": self.vms,
            "most_stranded": worst,
            "single": self.whole,
            "verdict": self.sentence(),
        }


@dataclass(frozen=True)
class Failover:
    """A farm at one instant, and the effect of each failure.

    ``worst``: the instant is the worst of the run; ``promised`` is the part of the memory of hosts
    on that VMs held. ``whole`` names the levels of which the farm is a single domain,
    ``left_out`` says which VMs were on no host and so in no test. ``clusters`` are those of the
    farm, with hosts in none last.
    """

    name: str
    at_s: float
    worst: bool
    hosts: int
    hosts_on: int
    vms: int
    promised: float
    failures: list[Failure]
    whole: list[str]
    left_out: str = ""
    clusters: tuple[ClusterFailover, ...] = ()
    by_limits: str = ""
    """Whether the clusters keep the limits of a plan, as a clause; empty where there is none."""

    def untested(self, why: str) -> "Failover":
        """Return the test without any failure; ``why`` says why."""
        said = f"The hosts are not tested: {why}."
        return replace(
            self, failures=[], clusters=(), left_out=" ".join(filter(None, (self.left_out, said)))
        )

    def without(self, clusters: Collection[str], why: str) -> "Failover":
        """Return the test without failures of hosts of some clusters; ``why`` says why.

        Nothing is said of these clusters: their own sentences are left out as well.
        """
        gone = [each.name for each in self.clusters if each.name in clusters]
        if not gone:
            return self
        said = f"Hosts of {', '.join(gone)} are not tested: {why}."
        return replace(
            self,
            failures=[each for each in self.failures if not set(each.clusters or ()) & set(gone)],
            clusters=tuple(each for each in self.clusters if each.name not in clusters),
            left_out=" ".join(filter(None, (self.left_out, said))),
        )

    def of(self, kind: str) -> list[Failure]:
        """Return the failures of a kind."""
        return [failure for failure in self.failures if failure.kind == kind]

    def worst_of(self, kind: str) -> Failure | None:
        """Return the failure of a kind that strands the most VMs, if any; ties: the first."""
        return max(self.of(kind), key=lambda failure: len(failure.stranded), default=None)

    def survives(self, kind: str) -> bool:
        """Whether no failure of a kind strands a VM. False if the farm is a single domain.

        False as well where none was tried, such as pairs of a farm with one host.
        """
        tried = self.of(kind)
        return bool(tried) and kind not in self.whole and not any(f.stranded for f in tried)

    def sentence(self) -> str:
        """Return a sentence on VMs not tested and the worst case of each kind.

        Kinds of which no failure strands a VM are named first. A kind that was not tried is left
        out.
        """
        kept, lost = [], []
        for kind, words in KINDS.items():
            worst = self.worst_of(kind)
            if worst is None:
                continue
            if worst.stranded:
                lost.append(f"loses {worst.lost()} if {_named(worst)}: {worst.causes}")
            else:
                kept.append(f"any {words}")
        said = [f"survives {' and '.join(kept)}"] if kept else []
        tested = "; ".join([*said, *lost])
        if not tested:
            return self.left_out.rstrip(".") or "has no failure that could be tested"
        if self.by_limits:
            tested = f"{tested}, as far as VMs find a host; {self.by_limits}"
        return f"{self.left_out} With the others, the farm {tested}" if self.left_out else tested

    def text(self) -> str:
        """Return the outcome in a few lines.

        Each kind that was tried has a line, the failures that strand most VMs a row.

        At most :data:`SHOWN` failures have a row.
        """
        lines = [
            f"{self.name}: {self.sentence()}",
            f"at {self.at_s / 3600:g} h{', the worst instant' if self.worst else ''}: "
            f"{plural(self.vms, 'VM')} on {self.hosts_on:,} of {plural(self.hosts, 'host')}, "
            f"{100 * self.promised:.1f} % of their memory allocated",
        ]
        for kind in KINDS:
            tried = self.of(kind)
            if tried:
                bad = [each for each in tried if each.stranded]
                down_s = [each.down_s for each in tried if each.down_s is not None]
                within = f"; the others restart within {lasting(max(down_s))}" if down_s else ""
                lines.append(f"{kind}: {len(tried):,} tested, {len(bad):,} strand VMs{within}")
        if not self.by_limits:
            lines += [f"{each.label}: {each.sentence()}" for each in self.clusters]
        hurt = sorted((f for f in self.failures if f.stranded), key=lambda f: -len(f.stranded))
        if hurt:
            lines += ["", f"{'fails':32}{'VMs':>7}{'restart':>9}{'stranded':>10}  stopped by"]
        lines += [
            f"{f.label:32}{f.vms:7,}{f.vms - len(f.stranded):9,}{len(f.stranded):10,}"
            f"  {f.stopped_by}"
            for f in hurt[:SHOWN]
        ]
        if len(hurt) > SHOWN:
            lines.append(f"and {len(hurt) - SHOWN:,} more")
        if self.whole:
            single = " and a single ".join(self.whole)
            lines.append(f"only one {single}: if it fails, nothing is left")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain values.

        It is what ``failover.json`` holds; a time of None means that no VM runs again.
        """
        return {
            "name": self.name,
            "at_s": self.at_s,
            "worst_instant": self.worst,
            "hosts": self.hosts,
            "hosts_on": self.hosts_on,
            "vms": self.vms,
            "memory_promised": self.promised,
            "verdict": self.sentence(),
            "not_tested": self.left_out,
            "single": self.whole,
            **({"clusters": [each.to_dict() for each in self.clusters]} if self.clusters else {}),
            "failures": [each.to_dict() for each in self.failures],
        }


def _named(failure: Failure) -> str:
    """Return what fails, with its verb."""
    return f"{failure.name} fail" if failure.kind == "pair" else f"{failure.label} fails"
