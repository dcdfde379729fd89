"""Scaling by steps: the further utilisation is beyond a threshold, the more members at once."""

from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .scaling import ApplicationView, Wanted


@dataclass(frozen=True)
class StepScaling:
    """Add members above utilisation thresholds, remove members below another.

    The highest threshold that is exceeded determines how many are added.
    """

    above: tuple[float, ...] = parameter(
        "Utilisation thresholds above which members are added, ascending.",
        (0.7, 0.9),
        dimension="share",
        gt=0,
    )
    add: tuple[int, ...] = parameter("Number of members added at each threshold.", (1, 3), ge=1)
    below: float = parameter(
        "Utilisation threshold below which members are removed.", 0.4, dimension="share", ge=0
    )
    remove: int = parameter("Number of members removed.", 1, ge=1)

    def __post_init__(self) -> None:
        if len(self.above) != len(self.add):
            raise ValueError(
                f"above has {len(self.above)} entries, add {len(self.add)}; give each threshold "
                "its number of members"
            )
        if list(self.above) != sorted(set(self.above)):
            raise ValueError("above does not ascend; sort its thresholds")
        if self.below >= self.above[0]:
            raise ValueError("below is not less than the first entry of above; reduce it")

    def decide(self, view: ApplicationView) -> Wanted:
        """Return what the step that utilisation reaches asks for."""
        measured = view.utilisation
        for limit, more in zip(reversed(self.above), reversed(self.add), strict=True):
            if measured >= limit:
                return Wanted(view.members + more, "step", measured, limit)
        fewer = self.remove if measured < self.below else 0
        return Wanted(view.members - fewer, "step", measured, self.below)
