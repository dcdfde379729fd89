"""Strict YAML 1.2 core without implicit conversions, with source positions.

Built on the event stream of PyYAML's parser in C. Refused, each with its place: duplicate
keys, tags, undefined or self-containing aliases, nesting deeper than 40, a document that its
aliases blow up, more than one document, keys that are no texts.
"""

import re
from dataclasses import field
from typing import Any, Final, cast

import yaml

from ...models.base.lazy_dataclass import dataclass

MAX_DEPTH: Final = 40
MAX_NODES: Final = 500_000
MAX_BYTES: Final = 16 * 1024 * 1024

Path = tuple[str | int, ...]
Mark = tuple[int, int]

_INTEGER = re.compile(r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}


class YamlError(Exception):
    """Invalid strict YAML: line and column (from 1), fault and remedy."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(mark, message)
        self.mark, self.message = mark, message


class TooDeepError(YamlError):
    """A text that is nested too deeply."""


@dataclass
class Document:
    """Parsed data, with line and column of the key and value of every path.

    Marks count from 1. Documents made in Python have none, and :meth:`find` then gives ``(1, 1)``.
    """

    data: Any
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)

    def find(self, path: Path) -> Mark:
        """Return where a path stands, or the nearest thing around it that exists."""
        while path:
            if path in self.values:
                return self.keys.get(path, self.values[path])
            path = path[:-1]
        return self.values.get((), (1, 1))


def parse(text: str) -> Document:
    """Parse one document into plain data and the place of every key and value.

    Scalars follow the core schema of YAML 1.2. Raises YamlError with line and column for what is
    not strict YAML, or too long, deep or large.
    """
    if len(text) > MAX_BYTES:
        raise YamlError((1, 1), f"longer than {MAX_BYTES >> 20} MiB; put tables into files")
    reader = _Reader()
    try:
        reader.take_all(text)
    except yaml.MarkedYAMLError as error:
        _refuse_depth(text, error)
        raise _translated(error, text) from None
    except yaml.reader.ReaderError as error:
        message = f"character {error.character!r} is not allowed; save the file as UTF-8 text"
        raise YamlError(_position(text, error.position), message) from None
    return reader.document


def _refuse_depth(text: str, error: yaml.MarkedYAMLError) -> None:
    """Raise YamlError if nesting became too deep before the parser itself gave up.

    The parser reads ahead of the events that it gives, and newer versions of it have a limit of its
    own. The text before the place of its error shows what comes first.
    """
    if error.problem_mark is None:
        return
    try:
        _Reader().take_all(text[: error.problem_mark.index])
    except TooDeepError:
        raise
    except (YamlError, yaml.YAMLError):
        return


def _position(text: str, position: int) -> Mark:
    """Return line and column, from 1, of a position in a text."""
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _translated(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    """Return an error of the parser with its place and, for tabs, in plain words."""
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    line = lines[place[0] - 1] if place[0] <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error.problem):
        return YamlError(place, "YAML cannot be indented with tabs; use spaces")
    what = f"{error.context or ''}: {error.problem or 'not YAML'}".strip(": ")
    return YamlError(place, f"{what}; check indentation, quotes and colons")


@dataclass
class _Node:
    """A collection being read."""

    data: Any
    path: Path
    mark: Mark
    anchor: str | None
    key: str | None = None
    size: int = 1


class _Reader:
    """Builds data from the events of the parser, with the place of each key and value."""

    def __init__(self) -> None:
        self.document = Document(None)
        self._stack: list[_Node] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open_anchors: set[str] = set()
        self._documents = 0

    def take_all(self, text: str) -> None:
        """Read a text. Raises YamlError, or an error of the parser."""
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            self.take(event)

    def take(self, event: yaml.Event) -> None:
        """Take one event. Raises YamlError for what is not strict."""
        start = cast("yaml.Mark", event.start_mark)
        mark = (start.line + 1, start.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlError(mark, "a second document starts here; use one document per file")
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, mark)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(cast("str", event.anchor), mark)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event, mark)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            node = self._stack.pop()
            if node.anchor:
                self._anchors[node.anchor] = (node.data, node.size)
                self._open_anchors.discard(node.anchor)
            self._add(node.data, node.mark, node.size, node.path)

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        """Take a key or a plain value."""
        if event.tag is not None and event.tag != "!":
            raise YamlError(mark, f"the tag {event.tag} is not allowed; write plain values")
        if self._awaits_key():
            self._key(event.value, mark)
            return
        plain = event.implicit[0]
        value = _plain(event.value) if plain else event.value
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, mark, 1, self._child_path())

    def _alias(self, anchor: str, mark: Mark) -> None:
        """Take an alias as the value that its anchor has, shared and not copied."""
        if self._awaits_key():
            raise YamlError(mark, "an alias cannot be a key; write out the key")
        if anchor in self._open_anchors:
            raise YamlError(mark, f"*{anchor} contains itself; use the alias outside its anchor")
        if anchor not in self._anchors:
            raise YamlError(mark, f"*{anchor} is not defined; define it earlier with &{anchor}")
        value, size = self._anchors[anchor]
        self._add(value, mark, size, self._child_path())

    def _open(self, event: Any, mark: Mark) -> None:
        """Begin a mapping or a list."""
        if event.tag is not None:
            raise YamlError(mark, f"the tag {event.tag} is not allowed; write plain values")
        if self._awaits_key():
            raise YamlError(mark, "a key must be a string")
        if len(self._stack) >= MAX_DEPTH:
            raise TooDeepError(mark, f"nested deeper than {MAX_DEPTH} levels")
        data: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.anchor:
            self._open_anchors.add(event.anchor)
        self._stack.append(_Node(data, self._child_path(), mark, event.anchor))

    def _awaits_key(self) -> bool:
        """Whether the next thing read is the key of a mapping."""
        if not self._stack:
            return False
        top = self._stack[-1]
        return isinstance(top.data, dict) and top.key is None

    def _key(self, key: str, mark: Mark) -> None:
        """Note a key; it must stand once in its mapping."""
        top = self._stack[-1]
        path = (*top.path, key)
        if key in top.data:
            first = self.document.keys[path][0]
            raise YamlError(mark, f"duplicate key {key!r} (first at line {first}); keep one")
        self.document.keys[path] = mark
        top.key = key

    def _child_path(self) -> Path:
        """Return the path of the value that is read next."""
        if not self._stack:
            return ()
        top = self._stack[-1]
        if isinstance(top.data, dict):
            return (*top.path, cast("str", top.key))
        return (*top.path, len(top.data))

    def _add(self, value: Any, mark: Mark, size: int, path: Path) -> None:
        """Put a finished value into the collection around it, and note its place."""
        self.document.values[path] = mark
        if not self._stack:
            self.document.data = value
            return
        top = self._stack[-1]
        if isinstance(top.data, dict):
            top.data[top.key] = value
            top.key = None
        else:
            top.data.append(value)
        top.size += size
        if top.size > MAX_NODES:
            raise YamlError(mark, f"more than {MAX_NODES:,} values after expanding aliases")


def _plain(text: str) -> Any:
    """Resolve an unquoted scalar by the YAML 1.2 core schema.

    So ``NO`` and ``12:30`` are texts, ``0o17`` and ``0x1f`` are numbers.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        if text.startswith("0o"):
            return int(text[2:], 8)
        return int(text, 16) if text.startswith("0x") else _decimal(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def _decimal(text: str) -> int | float:
    """Return a whole number; one with hundreds of digits is infinite, and refused later."""
    return int(text) if len(text) < 400 else float("inf")
