"""What the user says about an inventory in a file (``--map``): names, classes, clusters, power.

Patterns are those of a shell (``db-*``), matched without regard to case; the first that fits
counts. Everything is optional:

    columns: {RAM (MB): Memory}
    decimal_marks: {vHost.Speed: ","}
    units: {vHost.# Memory: GB}
    dates: day_first
    clusters: [{hosts: "esx-9*", cluster: Gold}]
    classes: [{vms: "db-*", class: database}]
    servers: [{hosts: "*", power: {model: linear, idle: 120 W, max: 380 W}}]
    usable_memory: [{hosts: "*", share: 97 %}]
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ...models.hardware.power_curves import POWER_MODELS
from ...models.hardware.server import servers
from ..errors.problems import InputError, Problem, refuse
from ..errors.suggest import unknown_name
from ..inventory.findings import Finding, Severity
from ..inventory.inventory import Inventory
from ..language.choices import ChoiceField
from ..language.error_messages import sentences
from ..language.fields import Part, QuantityField, problem, problems
from ..language.value_types import Name, RequestClassName, Watts
from ..language.yaml_text import YamlError, parse


class ClassPattern(Part):
    """The request class of VMs with certain names."""

    vms: Name = Field(description="Pattern of names of VMs.", examples=["db-*"])
    request_class: RequestClassName = Field(
        alias="class", description="Their request class (`farmsim catalog classes`)."
    )


class ClusterFix(Part):
    """The cluster of hosts or VMs with certain names, where the file has none or a wrong one."""

    hosts: Name | None = Field(None, description="Pattern of names of hosts.", examples=["esx-9*"])
    vms: Name | None = Field(None, description="Pattern of names of VMs.")
    cluster: Name = Field(description="The cluster that they belong to.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        """Refuse a fix for nothing."""
        if self.hosts is None and self.vms is None:
            raise problems([(("hosts",), "is missing; write a pattern under hosts or vms")])
        return self


class ServerPattern(Part):
    """The server, or the power, of hosts with certain names."""

    hosts: Name = Field(description="Pattern of names of hosts.", examples=["esx-*"])
    server: Name | None = Field(
        None, description="A server of the catalogue whose power curve they have."
    )
    power: Annotated[Any, ChoiceField("model", "power model", lambda: POWER_MODELS)] = Field(
        None, description="Their power model, instead of a server.",
        examples=[{"model": "linear", "idle": "120 W", "max": "380 W"}],
    )  # fmt: skip
    extra_power: Watts = Field(0.0, description="Power to be added at every load.")

    @field_validator("server")
    @classmethod
    def _known(cls, server: str | None) -> str | None:
        """Refuse a server that the catalogue does not have."""
        if server is not None and server not in servers():
            raise problem(unknown_name("server", server, servers()))
        return server

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        """Refuse neither or both of server and power."""
        if (self.server is None) == (self.power is None):
            raise problems([(("server",), "give either server or power")])
        return self


class UsableMemory(Part):
    """The share of memory that VMs may take on hosts with certain names."""

    hosts: Name = Field(description="Pattern of names of hosts.", examples=["esx-*"])
    share: Annotated[float, Field(gt=0, le=1), QuantityField("share")] = Field(
        description="Share of the listed memory; the rest is the hypervisor's.",
        examples=["97 %"],
    )


class Mapping(Part):
    """The content of a mapping file."""

    columns: dict[str, Name] = Field(
        {}, description="Headers of the files, and what the format calls them."
    )
    decimal_marks: dict[str, Literal[".", ","]] = Field(
        {}, description="Decimal mark by column, such as `vHost.Speed`; `*` is all others."
    )
    units: dict[str, Name] = Field(
        {}, description="Unit by column, where the header states none or a wrong one."
    )
    dates: Literal["day_first", "month_first"] | None = Field(
        None, description="Order of dates such as 03/04/2026."
    )
    clusters: tuple[ClusterFix, ...] = Field((), description="Clusters of hosts and VMs.")
    classes: tuple[ClassPattern, ...] = Field((), description="Request classes of VMs.")
    servers: tuple[ServerPattern, ...] = Field((), description="Servers or power of hosts.")
    usable_memory: tuple[UsableMemory, ...] = Field(
        (), description="Memory that VMs may take; 95 % where nothing is said."
    )

    def class_of(self, vm: str) -> str | None:
        """Return the request class of a VM, None where no pattern fits."""
        return next((each.request_class for each in self.classes if _fits(vm, each.vms)), None)

    def server_of(self, host: str) -> ServerPattern | None:
        """Return what is said about the server of a host, None where no pattern fits."""
        return next((each for each in self.servers if _fits(host, each.hosts)), None)

    def usable_of(self, host: str) -> float | None:
        """Return the share of a host's memory that VMs may take, None where no pattern fits."""
        return next((each.share for each in self.usable_memory if _fits(host, each.hosts)), None)


def read_mapping(path: Path) -> Mapping:
    """Return the mapping of a YAML file. Raises InputError with all that is wrong, by line."""
    shown = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(shown, f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise refuse(shown, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise refuse(shown, "contains a NUL character; choose another path") from None
    try:
        document = parse(text)
    except YamlError as error:
        line, column = error.mark
        raise refuse(f"{shown}:{line}:{column}", error.message) from None
    if not isinstance(document.data, dict):
        raise refuse(f"{shown}:1:1", f"not a mapping; fields are {', '.join(Mapping.model_fields)}")
    try:
        return Mapping.model_validate(document.data)
    except ValidationError as error:
        faults = [
            (document.find(place), ".".join(map(str, place)), text)
            for place, text in sentences(error, Mapping, document.data)
        ]
        raise InputError(
            Problem(f"{shown}:{line}:{column}", field, text)
            for (line, column), field, text in sorted(faults)
        ) from None


def apply_clusters(inventory: Inventory, mapping: Mapping) -> list[Finding]:
    """Put hosts and VMs into the clusters that the mapping gives them.

    A VM follows its host, so that a pattern of VMs serves those without one. Return findings for
    patterns that fit nothing.
    """
    unused = []
    moved: dict[str, str] = {}
    for fix in mapping.clusters:
        found = 0
        for row, host in enumerate(inventory.hosts):
            if fix.hosts and host.name not in moved and _fits(host.name, fix.hosts):
                inventory.hosts[row] = replace(host, cluster=fix.cluster)
                moved[host.name] = fix.cluster
                found += 1
        named = [row for row, vm in enumerate(inventory.vms) if fix.vms and _fits(vm.name, fix.vms)]
        for row in named:
            inventory.vms[row] = replace(inventory.vms[row], cluster=fix.cluster)
        if not found + len(named):
            unused.append(fix.hosts or fix.vms or "")
    for row, vm in enumerate(inventory.vms if moved else ()):
        if vm.host in moved:
            inventory.vms[row] = replace(vm, cluster=moved[vm.host])
    unused += _without_match([each.vms for each in mapping.classes], inventory.vms)
    unused += _without_match([each.hosts for each in mapping.servers], inventory.hosts)
    unused += _without_match([each.hosts for each in mapping.usable_memory], inventory.hosts)
    return [
        Finding(
            "PATTERN_WITHOUT_MATCH",
            Severity.WARNING,
            f"--map, {pattern}",
            "no host or VM has a name like this",
            "this entry changes nothing; check the spelling",
        )
        for pattern in unused
    ]


def _without_match(patterns: Sequence[str], objects: Sequence[Any]) -> list[str]:
    """Return the patterns that fit no name."""
    return [each for each in patterns if not any(_fits(one.name, each) for one in objects)]


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern, upper and lower case alike."""
    return fnmatchcase(name.lower(), pattern.lower())
