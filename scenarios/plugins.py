"""Policies that are the user's own code."""

import importlib

from pydantic_core import PydanticCustomError


def load_class(name: str, allowed: bool) -> type:
    """Load ``module:Class``. Raises PydanticCustomError if not allowed or not there."""
    if not allowed:
        message = f"{name} is code of yours; allow it with --allow-code"
        raise PydanticCustomError("farmsim", "{text}", {"text": message})
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"cannot load {name}: {error}; the module must be importable from here"
        raise PydanticCustomError("farmsim", "{text}", {"text": message}) from None
    if not isinstance(found, type) or not hasattr(found, "__dataclass_fields__"):
        message = f"{name} is no dataclass; a policy is a frozen dataclass"
        raise PydanticCustomError("farmsim", "{text}", {"text": message})
    return found
