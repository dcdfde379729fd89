"""Hosts that are closed for maintenance: when each was closed, empty, and back in service."""

from collections.abc import Callable

import numpy as np

from ...models.base.arrays import Ints
from ...models.farm.farm import Farm
from ..base.clock import Clock
from ..base.log import Column
from .power_states import PowerTransitions


class Maintenance:
    """Closes and reopens hosts at exact times.

    ``look`` is to be called whenever VMs or hosts have changed while hosts are closed;
    ``changed`` is called when hosts have been closed or opened.

    VMs of a closed host stay until a policy migrates them; a closed host is empty when no VM, no
    copy and no page of a VM is on it.
    """

    def __init__(
        self, clock: Clock, farm: Farm, power: PowerTransitions, changed: Callable[[], None]
    ) -> None:
        self._clock, self._farm, self._power, self._changed = clock, farm, power, changed
        self._host: list[int] = []
        self._times_s: list[list[float]] = []
        self._closed: dict[int, int] = {}

    def close(self, hosts: list[int]) -> None:
        """Take hosts out of service, as far as they are in it.

        ``hosts`` are rows; those closed already are left as they are.
        """
        fresh = [host for host in hosts if host not in self._closed]
        if not fresh:
            return
        self._farm.set_in_service(np.array(fresh, np.int64), in_service=False)
        for host in fresh:
            self._closed[host] = len(self._host)
            self._host.append(host)
            self._times_s.append([self._clock.now, np.nan, np.nan])
        self._changed()

    def open(self, hosts: list[int]) -> None:
        """Put closed hosts back into service.

        ``hosts`` are rows; those that are not closed are left as they are.
        """
        self.look()
        closed = [host for host in hosts if host in self._closed]
        if not closed:
            return
        self._farm.set_in_service(np.array(closed, np.int64), in_service=True)
        for host in closed:
            self._times_s[self._closed.pop(host)][2] = self._clock.now
        self._changed()

    def look(self) -> None:
        """Note the closed hosts that the last VM has left."""
        full = [host for host, row in self._closed.items() if np.isnan(self._times_s[row][1])]
        if not full:
            return
        hosts: Ints = np.array(full, np.int64)
        columns = self._farm.hosts
        empty = (columns.vm_count[hosts] == 0) & (columns.incoming[hosts] == 0)
        empty &= (columns.sending[hosts] == 0) & ~self._power.holds(hosts)
        for host in hosts[empty].tolist():
            self._times_s[self._closed[host]][1] = self._clock.now

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return host and times, in s, in the order in which hosts were closed; NaN: never.

        There is no table if no host was closed.
        """
        if not self._host:
            return {}
        times_s = np.array(self._times_s, np.float64).reshape(-1, 3)
        columns = {
            "host": np.array(self._host, np.int64),
            "closed_s": times_s[:, 0],
            "emptied_s": times_s[:, 1],
            "reopened_s": times_s[:, 2],
        }
        return {"maintenance": columns}
