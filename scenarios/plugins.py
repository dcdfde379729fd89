"""Policies that are the user's own code."""

import importlib
import sys
from pathlib import Path

from pydantic_core import PydanticCustomError


def load_class(name: str, allowed: bool) -> type:
    """Load ``module:Class``, also from the working directory.

    Raises PydanticCustomError if that is not allowed, or there is no such dataclass.
    """
    if not allowed:
        message = f"{name} is code of yours; allow it with --allow-code"
        raise PydanticCustomError("farmsim", "{text}", {"text": message})
    module_name, _, class_name = name.partition(":")
    # The installed command does not look for modules in the working directory by itself.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"cannot load {name}: {error}; start where the module is, or install it"
        raise PydanticCustomError("farmsim", "{text}", {"text": message}) from None
    if not isinstance(found, type) or not hasattr(found, "__dataclass_fields__"):
        message = f"{name} is no dataclass; a policy is a frozen dataclass"
        raise PydanticCustomError("farmsim", "{text}", {"text": message})
    return found
