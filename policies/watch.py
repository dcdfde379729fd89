"""An overload detector at work in one round: its verdicts, now and on tentative moves."""

import numpy as np

from ..models.arrays import Bools, Floats, Ints, sum_by
from ..models.ties import TIE
from .overload import OverloadDetector
from .room import Room
from .view import FarmView


class Watch:
    """Values and limits of a detector for every host, kept up to date while VMs are tried."""

    def __init__(self, view: FarmView, detector: OverloadDetector) -> None:
        self._view, self._detector = view, detector
        self._capacity_mhz = view.hosts.cpu_mhz
        self._vm_history = view.vm_history_mhz(detector.samples)
        depth = len(self._vm_history)
        vms = view.vms
        home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
        self._home = np.where(home >= 0, home, len(view.hosts))
        plain = detector.linear(depth)
        self._linear = plain is not None
        if plain is not None:
            weights, limit = plain
            self._limit = limit
            self._vm_signal = self._weighted(self._vm_history, weights)
            self._host_signal = self._host_sums(weights)
        else:
            self._matrix = self._host_matrix(depth)

    @staticmethod
    def _weighted(history_mhz: Floats, weights: Floats) -> Floats:
        used = np.flatnonzero(weights)
        total: Floats = weights[used[0]] * history_mhz[used[0]]
        for sample in used[1:]:
            total += weights[sample] * history_mhz[sample]
        return total

    def _per_host(self, amounts: Floats) -> Floats:
        count = len(self._view.hosts)
        return sum_by(self._home, weights=amounts, minlength=count + 1)[:count]

    def _host_sums(self, weights: Floats) -> Floats:
        if self._detector.history == "host":
            return self._weighted(self._view.host_history_mhz(len(weights)), weights)
        base_mhz = self._view.hosts.base_mhz * float(weights.sum())
        return self._per_host(self._vm_signal) + base_mhz

    def _host_matrix(self, depth: int) -> Floats:
        if self._detector.history == "host":
            return np.ascontiguousarray(self._view.host_history_mhz(depth).T)
        base_mhz = self._view.hosts.base_mhz
        return np.stack([self._per_host(row) + base_mhz for row in self._vm_history], axis=1)

    def judge(self, hosts: Ints) -> tuple[Floats, Floats]:
        """Return value and limit of some hosts, as shares of capacity."""
        if self._linear:
            return self._host_signal[hosts] / self._capacity_mhz[hosts], np.full(
                len(hosts), self._limit
            )
        return self._detector.judge(self._matrix[hosts], self._capacity_mhz[hosts])

    def overloaded(self) -> Ints:
        """Return the hosts with VMs whose value is above their limit, ascending."""
        busy = np.flatnonzero(self._view.awake() & (self._view.hosts.vm_count > 0))
        value, limit = self.judge(busy)
        return busy[value > limit + TIE]

    def is_overloaded(self, host: int) -> bool:
        """Whether one host's value is above its limit as things stand."""
        if self._linear:
            limit_mhz = (self._limit + TIE) * self._capacity_mhz[host]
            return bool(self._host_signal[host] > limit_mhz)
        value, limit = self.judge(np.array([host]))
        return bool(value[0] > limit[0] + TIE)

    def take_away(self, vm: int, host: int) -> None:
        """Note that a VM is to leave a host."""
        self._change(vm, host, -1)

    def _change(self, vm: int, host: int, sign: int) -> None:
        if self._linear:
            self._host_signal[host] += sign * self._vm_signal[vm]
        else:
            self._matrix[host] += sign * self._vm_history[:, vm]

    def look_after(self, room: Room) -> None:
        """Refuse, in a room, hosts that a VM would overload."""
        if self._linear:
            limit_mhz = self._limit * self._capacity_mhz
            room.watch_sum(self._vm_signal, self._host_signal, limit_mhz)
            return

        def refused(positions: Ints, vm: int) -> Bools:
            hosts = room.hosts[positions]
            with_vm = self._matrix[hosts] + self._vm_history[:, vm]
            value, limit = self._detector.judge(with_vm, self._capacity_mhz[hosts])
            return value > limit + TIE

        def changed(position: int, vm: int, sign: int) -> None:
            self._change(vm, int(room.hosts[position]), sign)

        room.watch(refused, changed)
