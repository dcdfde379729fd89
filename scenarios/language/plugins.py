"""Policies that are the user's own code."""

import importlib
import sys
from pathlib import Path

from pydantic_core import PydanticCustomError

from ...policies.user_policies.guard import name_of_class, told, trace_of


def load_class(name: str, allowed: bool) -> type:
    """Load ``module:Class``, also from the working directory.

    Raises PydanticCustomError if that is not allowed, the module fails, or there is no such
    dataclass; the traceback of the module stands below the first line of its text.
    """
    if not allowed:
        raise _problem(f"{name} is code of yours; allow it with --allow-code")
    module_name, _, class_name = name.partition(":")
    # The installed command does not look for modules in the working directory by itself.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name not in (module_name, module_name.partition(".")[0]):
            raise _failed(name, error) from error
        message = f"cannot load {name}: {error}; run from the module's directory, or install it"
        raise _problem(message) from None
    except ValueError as error:
        raise _problem(f"cannot load {name}: {error}; write module:Class") from None
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error
    found = getattr(module, class_name, None)
    if found is None:
        message = f"cannot load {name}: module {module_name} has no {class_name!r}"
        raise _problem(f"{message}; {_classes_of(module)}")
    if not isinstance(found, type) or not hasattr(found, "__dataclass_fields__"):
        raise _problem(f"{name} is not a dataclass; a policy is a frozen dataclass")
    return found


def _classes_of(module: object) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == getattr(module, "__name__", "")
    ]
    return f"it has {', '.join(names)}" if names else "it has no class"


def _failed(name: str, error: BaseException) -> PydanticCustomError:
    return _problem(f"cannot load {'; '.join(told(error, name))}\n{trace_of(error)}")


def made_by_user(cls: type, error: Exception) -> PydanticCustomError:
    """Return what is told where a policy fails as it is made."""
    what = "; ".join(told(error, f"{name_of_class(cls)} failed"))
    return _problem(f"{what}\n{trace_of(error)}")


def _problem(message: str) -> PydanticCustomError:
    return PydanticCustomError("farmsim", "{text}", {"text": message})
