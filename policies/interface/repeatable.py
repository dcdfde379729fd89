"""Policies whose decision can be used again while nothing changes that they look at."""


def is_repeatable(policy: object) -> bool:
    """Whether a policy, or a part of one, decides the same as long as the view shows the same.

    It says so with ``repeatable = True`` in its own class, or with a property where that depends on
    its parameters: it looks at nothing but columns and histories of the view, and not at ``now_s``,
    ``vm_s``, ``draw`` or ``state``. What its class inherits does not count, since it may do more.
    """
    cls = type(policy)
    name = cls.__module__, cls.__qualname__
    # A guarded policy is of a subclass of the same name.
    own = [each for each in cls.__mro__ if (each.__module__, each.__qualname__) == name]
    said = any("repeatable" in vars(each) for each in own)
    return said and bool(getattr(policy, "repeatable", False))
