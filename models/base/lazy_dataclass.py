"""Dataclasses whose methods are generated when a class is first used.

``dataclasses.dataclass`` writes and compiles six methods for each class, which takes 0.3 to 0.5 ms.
farmsim has over 200 such classes, of which a command uses a few dozen.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, **options):
        """Make a class what ``dataclasses.dataclass`` makes of it, once it is used.

        It is used when an object of it is made, and when its fields are asked for, as a subclass,
        :func:`dataclasses.fields` and :func:`dataclasses.is_dataclass` do. ``options`` are those
        of ``dataclasses.dataclass`` without ``slots``, which needs another class.
        """
        if cls is None:
            return lambda each: dataclass(each, **options)
        if options.get("slots") or "__init__" in vars(cls):
            return dataclasses.dataclass(cls, **options)
        _Unmade(cls, options)
        return cls


class _Unmade:
    """What stands for the fields of a dataclass whose methods are not generated yet.

    It holds the definitions of its fields; the class has their defaults meanwhile.
    """

    def __init__(self, cls: type, options: dict[str, Any]) -> None:
        self._cls, self._options = cls, options
        self._defined = {
            name: each for name, each in vars(cls).items() if isinstance(each, dataclasses.Field)
        }
        for name, each in self._defined.items():
            if each.default is dataclasses.MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, each.default)

        def __init__(made: object, *values: object, **named: object) -> None:  # noqa: N807
            self._generate()
            cls.__init__(made, *values, **named)  # type: ignore[misc]

        cls.__init__ = __init__  # type: ignore[misc]
        cls.__dataclass_fields__ = self  # type: ignore[attr-defined]

    def __get__(self, made: object, owner: type) -> Any:
        """Generate the methods and return the fields of the class, or of an heir of it."""
        self._generate()
        return owner.__dataclass_fields__  # type: ignore[attr-defined]

    def _generate(self) -> None:
        """Make the class a dataclass."""
        cls = self._cls
        del cls.__init__, cls.__dataclass_fields__  # type: ignore[misc, attr-defined]
        for name, each in self._defined.items():
            setattr(cls, name, each)
        dataclasses.dataclass(**self._options)(cls)
