"""A hypervisor: the name of one of the catalogue, or one with figures of one's own."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from ...models.hypervisor.profiles import derive, profile, profile_names
from ..errors.suggest import unknown_name
from ..language.fields import Part, problem, problems


def _known_hypervisor(name: str) -> str:
    """Refuse a hypervisor that the catalogue does not have."""
    if name not in profile_names():
        raise problem(unknown_name("hypervisor", name, profile_names()))
    return name


class InlineHypervisor(Part):
    """A hypervisor of the catalogue with your own figures.

    Use it to put figures of your own measurements in place of the published ones, and to see what
    an estimate is worth. Figures that are not named stay those of the profile. A single number
    stands for low, typical and high at once; three numbers keep the range that `overheads` and
    `farmsim compare --band` choose from.
    """

    based_on: Annotated[str, AfterValidator(_known_hypervisor)] = Field(
        description="The profile that it is based on."
    )
    change: dict[str, Any] = Field(
        {},
        description="Figures that differ, by the keys of `farmsim catalog hypervisors NAME`, as "
        "numbers or as low, typical and high.",
        examples=[{"cpu": {"plain": 0.97}, "memory": {"hypervisor_mib": 800}}],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse figures that the profile does not have or that cannot be.

        The error points to the figure below ``change`` where the profile names it. ``base`` and
        ``name`` belong to farmsim: the first is ``based_on``, the second is made of it.
        """
        name = f"own {self.based_on}"
        for key in ("base", "name"):
            if key in self.change:
                raise problems([(("change", key), "is set by farmsim; remove it")])
        try:
            derive(profile(self.based_on), name, **self.change)
        except (TypeError, ValueError) as error:
            path, _, message = str(error).partition(": ")
            steps = path.split(".")[1:] if message and path.startswith(name) else []
            raise problems([(("change", *steps), message or str(error))]) from None
        return self


def _hypervisor_tag(written: Any) -> str:
    """Tell a hypervisor with figures of one's own from the name of one."""
    return "inline" if isinstance(written, dict | InlineHypervisor) else "catalogue"


HypervisorField = Annotated[
    Annotated[str, AfterValidator(_known_hypervisor), Tag("catalogue")]
    | Annotated[InlineHypervisor, Tag("inline")],
    Discriminator(_hypervisor_tag),
]
PathField = Literal["emulated", "paravirtual", "passthrough"] | None
