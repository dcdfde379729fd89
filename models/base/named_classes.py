"""Classes by the names that a scenario gives them, each imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module


class NamedClasses(Mapping[str, type]):
    """A table of classes of which each is imported when it is first asked for.

    ``package`` is the ``__name__`` of a package, ``where`` tells for each name a module below it
    and a class, such as ``control.balance:Balance``; ``others`` are classes that are there already.
    Names, and whether there is one, are known without an import.
    """

    def __init__(
        self, package: str, where: Mapping[str, str], others: Mapping[str, type] | None = None
    ) -> None:
        self._package, self._where, self._others = package, where, others or {}

    def __getitem__(self, name: str) -> type:
        """Return a class. Raises KeyError if there is none of that name."""
        if name in self._others:
            return self._others[name]
        module, _, cls = self._where[name].partition(":")
        found: type = getattr(import_module(f"{self._package}.{module}"), cls)
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self._where
        yield from (name for name in self._others if name not in self._where)

    def __len__(self) -> int:
        return len(self._where.keys() | self._others.keys())

    def __contains__(self, name: object) -> bool:
        """Whether there is a class of that name."""
        return name in self._where or name in self._others

    def and_others(self, others: Mapping[str, type]) -> "NamedClasses":
        """Return the table with some more classes, which go before those of the same names."""
        return NamedClasses(self._package, self._where, {**self._others, **others})


def name_of(cls: type, classes: Mapping[str, type]) -> str | None:
    """Return the name of a class in a table, None if it is not there.

    Of a :class:`NamedClasses` no class is imported for it: one that exists is imported already.
    """
    if isinstance(classes, NamedClasses):
        there = f"{cls.__module__}:{cls.__qualname__}"
        for name, where in classes._where.items():
            if name not in classes._others and f"{classes._package}.{where}" == there:
                return name
        classes = classes._others
    return next((name for name, each in classes.items() if each is cls), None)
