"""What policies have in common that leave all other decisions to another one."""

from .control import ControlPolicy


class DelegatingPolicy:
    """Looks at as many samples, and rests hosts from the start, as the other policy does."""

    otherwise: ControlPolicy

    @property
    def samples(self) -> int:
        """Number of past samples that the other policy looks at."""
        return self.otherwise.samples

    @property
    def powers_down(self) -> bool:
        """Whether hosts without VMs are off from the start."""
        return self.otherwise.powers_down
