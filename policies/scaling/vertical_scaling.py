"""Scaling up and down: the same members, of the next larger or smaller size."""

from typing import ClassVar

from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .scaling import ApplicationView, Wanted

RULE = "vertical"


@dataclass(frozen=True)
class VerticalScaling:
    """Change the members to the next larger or smaller size by their utilisation.

    Up to the size ``hot_add_up_to`` CPU and memory are added and taken while a member runs, where
    its host has the memory; beyond it, and where it has not, members are started again, one after
    another, each only where some host has a place for its other size; the others go on serving as
    they are.
    """

    FORMER_FIELDS: ClassVar = {"up_above": "scale_up_above", "down_below": "scale_down_below"}

    sizes: tuple[str, ...] = parameter("Names of sizes, the smallest first.")
    scale_up_above: float = parameter(
        "Utilisation above which members get the next larger size.", 0.8, dimension="share", gt=0
    )
    scale_down_below: float = parameter(
        "Members get the next smaller size if its utilisation would stay below this.",
        0.6,
        dimension="share",
        gt=0,
    )
    hot_add_up_to: str = parameter(
        "Largest size that can be reached without a restart; empty: none.", ""
    )

    def __post_init__(self) -> None:
        if self.scale_down_below > self.scale_up_above:
            raise ValueError(
                "scale_down_below is above scale_up_above, so sizes would oscillate; reduce "
                "scale_down_below"
            )
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError("a size is listed twice; list each once")
        if self.hot_add_up_to and self.hot_add_up_to not in self.sizes:
            raise ValueError(
                f"hot_add_up_to: {self.hot_add_up_to!r} is not among sizes; name one of them"
            )

    def resizes_running(self, size: str, other: str) -> bool:
        """Return whether a member may go from one size to another without a restart."""
        if not self.hot_add_up_to:
            return False
        most = self.sizes.index(self.hot_add_up_to)
        return max(self.sizes.index(size), self.sizes.index(other)) <= most

    def decide(self, view: ApplicationView) -> Wanted:
        """Return the members as they are, of the size that utilisation asks for."""
        rung, measured = self.sizes.index(view.size), view.utilisation
        if measured > self.scale_up_above and rung + 1 < len(self.sizes):
            return self._step(view, rung + 1, measured, self.scale_up_above)
        if rung > 0:
            share = view.sizes_mhz[self.sizes[rung - 1]] / view.capacity_mhz
            if measured / share < self.scale_down_below:
                return self._step(view, rung - 1, measured, self.scale_down_below * share)
        return Wanted(view.members, RULE, measured, self.scale_up_above)

    def _step(self, view: ApplicationView, rung: int, measured: float, limit: float) -> Wanted:
        return Wanted(view.members, RULE, measured, limit, self.sizes[rung])
