"""Names of hosts and VMs, generated when shown.

A farm may have millions of rows; what is kept is how to make a name from its row.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ...models.base.arrays import Ints
from ...models.hardware.racks_and_sites import numbered


class Names(Sequence[str]):
    """``count`` names, none of which is stored."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self.name(each) for each in range(*index.indices(self._count))]
        number = index + self._count if index < 0 else index
        if not 0 <= number < self._count:
            raise IndexError(index)
        return self.name(number)

    @abstractmethod
    def name(self, number: int) -> str:
        """Return the name at a place counted from 0."""
        ...


class Numbered(Names):
    """``prefix-1`` … ``prefix-n``."""

    def __init__(self, prefix: str, count: int) -> None:
        super().__init__(count)
        self._prefix = prefix

    def name(self, number: int) -> str:
        """Return prefix and number, with leading zeros so that all are of one length."""
        return numbered(self._prefix, number + 1, len(self))


class Repeated(Names):
    """Repeated names; repetitions are ``name#2``, ``name#3`` and so on.

    So have the VMs of a trace whose series are given to more VMs than it has.
    """

    def __init__(self, names: Sequence[str], count: int) -> None:
        super().__init__(count)
        self._names = names

    def name(self, number: int) -> str:
        """Return the name, with its round from the second on."""
        turn, at = divmod(number, len(self._names))
        return self._names[at] if turn == 0 else f"{self._names[at]}#{turn + 1}"


class Labelled(Names):
    """``prefix-7``, ``prefix-3`` and so on from numbers; a second lifetime is ``prefix-7#2``.

    ``numbers`` and ``life`` (names,) are kept as arrays; texts are made when they are shown.
    """

    def __init__(self, prefix: str, numbers: Ints, life: Ints) -> None:
        super().__init__(len(numbers))
        self._prefix, self._numbers, self._life = prefix, numbers, life

    def name(self, number: int) -> str:
        """Return prefix and the number at that place, and which life it is from the second on."""
        life = self._life[number]
        return f"{self._prefix}-{self._numbers[number]}{f'#{life}' if life > 1 else ''}"


class Listed(Names):
    """Names in an Arrow array, which needs a fraction of the memory of a list."""

    def __init__(self, texts: Any) -> None:
        super().__init__(len(texts))
        self._texts = texts

    def name(self, number: int) -> str:
        """Return the text at that place."""
        return str(self._texts[number].as_py())


def lives(codes: Ints) -> Ints:
    """Return for each entry how often its code has occurred so far, itself included (entries,)."""
    order = np.argsort(codes, kind="stable")
    grouped = codes[order]
    first = np.flatnonzero(np.diff(grouped, prepend=grouped[:1] - 1))
    begun = np.repeat(first, np.diff(np.append(first, len(codes))))
    found: Ints = np.empty(len(codes), np.int64)
    found[order] = np.arange(len(codes)) - begun + 1
    return found
