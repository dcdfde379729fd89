"""User policies."""

import importlib
import sys
from contextlib import redirect_stdout
from pathlib import Path

from pydantic_core import PydanticCustomError

from ...policies.catalogue import as_class
from ...policies.user_policies.guard import describe_error, is_theirs, name_of_class, trace_of


def load_class(name: str, kind: str, allowed: bool) -> type:
    """Load ``module:Class`` or ``module:function``, also from the working directory.

    Raises PydanticCustomError if that is not allowed, the module fails, or what it has of that
    name is no policy of the kind; the traceback of the module stands below the first line of its
    text.

    A function becomes a class of policies that calls it. What the module prints goes to standard
    error, so that ``--json`` stays readable.
    """
    if not allowed:
        raise _problem(f"{name} is your own code; allow it with --allow-code")
    module_name, _, class_name = name.partition(":")
    # The installed command does not look for modules in the working directory by itself.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        with redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name not in (module_name, module_name.partition(".")[0]):
            raise _failed(name, error) from error
        message = f"cannot load {name}: {error}; run from the module's directory, or install it"
        raise _problem(message) from None
    except ValueError as error:
        raise _problem(
            f"cannot load {name}: {error}; write module:Class or module:function"
        ) from None
    except BaseException as error:
        if not is_theirs(error):
            raise
        raise _failed(name, error) from error
    found = getattr(module, class_name, None)
    if found is None:
        message = f"cannot load {name}: module {module_name} has no {class_name!r}"
        raise _problem(f"{message}; {_offers_of(module)}")
    try:
        return as_class(found, kind)
    except TypeError as error:
        raise _problem(f"cannot use {name}: {error}") from None


def _offers_of(module: object) -> str:
    """Return what policies a module has, as far as a policy can be told by its shape."""
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == getattr(module, "__name__", "")
    ]
    return f"it has {', '.join(names)}" if names else "the module defines no class and no function"


def _failed(name: str, error: BaseException) -> PydanticCustomError:
    """Return what is told where a module fails as it is loaded, with its traceback."""
    return _problem(f"cannot load {'; '.join(describe_error(error, name))}\n{trace_of(error)}")


def made_by_user(cls: type, error: BaseException) -> PydanticCustomError:
    """Return the error message for a policy whose constructor fails."""
    what = "; ".join(describe_error(error, f"{name_of_class(cls)} failed"))
    return _problem(f"{what}\n{trace_of(error)}")


def _problem(message: str) -> PydanticCustomError:
    """Return an error with a text that may hold braces."""
    return PydanticCustomError("farmsim", "{text}", {"text": message})
