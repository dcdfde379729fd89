"""Every request simulated: against queueing theory, and the fluid model against it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import simpy
from builders import quantile_of
from scipy import stats

from farmsim.models.base.arrays import Floats
from farmsim.models.service.response_account import ServiceAccount
from farmsim.models.service.response_time import erlang_b, erlang_c, sharing
from farmsim.sim.records.request_queue import (
    Discipline,
    Distribution,
    RequestLog,
    RequestQueue,
    simulate,
)

BATCHES = 20


def batch_means(values: Floats, level: float = 0.99) -> tuple[float, float]:
    """Return mean and half-width of its confidence interval by the method of batch means."""
    values = values[len(values) // 10 :]
    length = len(values) // BATCHES
    means = values[: length * BATCHES].reshape(BATCHES, length).mean(axis=1)
    half = stats.t.ppf(0.5 + level / 2, BATCHES - 1) * means.std(ddof=1) / np.sqrt(BATCHES)
    return float(means.mean()), float(half)


def responses(log: RequestLog) -> Floats:
    return log.responses_s()


@dataclass(frozen=True)
class Theory:
    """A queue whose answer is known; service takes 1 s on average."""

    expected: float
    vcpus: int
    load: float
    measured: Callable[[RequestLog], Floats] = responses
    distribution: Distribution = "exponential"
    cv: float = 1.0
    discipline: Discipline = "sharing"
    room: float = float("inf")

    def holds(self, seed: int, requests: int) -> bool:
        rate_per_s = self.load * self.vcpus
        log = simulate(
            np.random.default_rng(seed), [(0.0, rate_per_s, 1.0)], requests / rate_per_s, 1.0,
            self.vcpus, self.distribution, self.cv, self.discipline, self.room,
        )  # fmt: skip
        mean, half = batch_means(self.measured(log))
        return abs(mean - self.expected) <= half


def erlang(function: Callable[..., Floats], servers: int, load: float) -> float:
    return float(function(np.array([servers]), np.array([servers * load]))[0])


def found_at_least(count: int) -> Callable[[RequestLog], Floats]:
    return lambda log: (np.array(log.found) >= count).astype(float)


THEORY = {
    "M/M/1": Theory(2.0, 1, 0.5, discipline="fcfs"),
    "M/M/1-PS": Theory(2.0, 1, 0.5),
    "M/D/1-PS": Theory(2.0, 1, 0.5, distribution="deterministic"),
    "M/G/1-PS": Theory(2.0, 1, 0.5, distribution="lognormal", cv=1.5),
    "M/M/3": Theory(1 + erlang(erlang_c, 3, 0.6) / (3 * 0.4), 3, 0.6, discipline="fcfs"),
    "M/G/3-PS": Theory(1 + erlang(erlang_c, 3, 0.6) / (3 * 0.4), 3, 0.6, distribution="gamma"),
    "Erlang C": Theory(erlang(erlang_c, 3, 0.6), 3, 0.6, found_at_least(3), discipline="fcfs"),
    "Erlang B": Theory(
        erlang(erlang_b, 3, 0.8), 3, 0.8, found_at_least(3), discipline="fcfs", room=3
    ),
}


@pytest.mark.parametrize("name", THEORY)
def test_agrees_with_theory(name: str) -> None:
    assert sum(THEORY[name].holds(seed, 2000) for seed in range(4)) >= 3


@pytest.mark.thorough
@pytest.mark.parametrize("name", THEORY)
def test_agrees_with_theory_in_95_of_100_runs(name: str) -> None:
    assert sum(THEORY[name].holds(1000 + seed, 2000) for seed in range(100)) >= 95


def deviations(
    vcpus: int, load: float, distribution: Distribution, cv: float, requests: int
) -> tuple[Floats, float]:
    """Return model over microscope less 1 for mean, P95 and P99, and the mean's 99 % margin."""
    rate_per_s = load * vcpus
    responses_s = np.concatenate(
        [
            simulate(
                np.random.default_rng(seed), [(0.0, rate_per_s, 1.0)], requests / rate_per_s,
                1.0, vcpus, distribution, cv,
            ).responses_s(0.05 * requests / rate_per_s)
            for seed in range(3)
        ]
    )  # fmt: skip
    one = np.ones(1)
    scv = 0.0 if distribution == "deterministic" else cv**2
    model = sharing(np.array([vcpus]), one * rate_per_s, one, scv)
    modelled = [model.mean_s[0], quantile_of(model, 0.95)[0], quantile_of(model, 0.99)[0]]
    measured = [responses_s.mean(), *np.quantile(responses_s, [0.95, 0.99])]
    mean_s, half_s = batch_means(responses_s)
    return np.array(modelled) / np.array(measured) - 1.0, half_s / mean_s


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("vcpus", "load"), [(1, 0.3), (1, 0.6), (1, 0.85), (2, 0.85), (8, 0.6), (8, 0.85)]
)
def test_sharing_is_within_5_percent_below_90_percent_utilisation(vcpus: int, load: float) -> None:
    (mean, p95, p99), _ = deviations(vcpus, load, "exponential", 1.0, 60_000)
    assert abs(mean) < 0.05
    assert abs(p95) < 0.10
    assert abs(p99) < 0.15


@pytest.mark.thorough
@pytest.mark.parametrize(("distribution", "cv"), [("deterministic", 1.0), ("lognormal", 2.0)])
@pytest.mark.parametrize(("vcpus", "load"), [(1, 0.6), (4, 0.85)])
def test_the_tail_of_other_distributions_is_rougher(
    vcpus: int, load: float, distribution: Distribution, cv: float
) -> None:
    (mean, p95, p99), margin = deviations(vcpus, load, distribution, cv, 40_000)
    assert abs(mean) < max(0.05, margin)
    assert abs(p95) < 0.25
    assert abs(p99) < 0.25
    assert (p99 < 0) == (distribution == "deterministic")


@pytest.mark.parametrize("distribution", ["deterministic", "lognormal", "gamma"])
def test_the_mean_does_not_depend_on_the_distribution(distribution: Distribution) -> None:
    (mean, _, _), margin = deviations(2, 0.5, distribution, 1.3, 6000)
    assert abs(mean) < max(0.05, margin)


def test_an_overload_as_a_fluid() -> None:
    """A step: 20 s at 150 % load, then drained at 50 %; the mean over all requests."""
    rates = [(0.0, 150.0, 1.0), (20.0, 50.0, 1.0)]
    log = simulate(np.random.default_rng(3), rates, 60.0, 0.01)
    account, one = ServiceAccount(1), np.ones(1)
    for rate_per_s in (150.0, 50.0, 50.0):
        account.add(np.array([0]), 20.0, np.array([1]), one * rate_per_s, one * 0.01, one * 0.0)
    assert account.mean_s()[0] == pytest.approx(np.mean(log.responses_s()), rel=0.1)
    # Little's law: a backlog of 1000 that gathers and drains in 20 s each, over 5000 requests.
    assert account.mean_s()[0] == pytest.approx(4.0, rel=0.01)
    assert account.arrived[0] == 5000.0
    assert account.waiting[0] == 0.0
    assert account.peak_waiting[0] == pytest.approx(1000.0)


@pytest.mark.parametrize("discipline", ["sharing", "fcfs"])
def test_a_speed_that_changes_while_requests_run(discipline: Discipline) -> None:
    """Two requests of 3 s on one vCPU that stops from 2 s to 5 s and goes on at double speed."""
    clock = simpy.Environment()
    queue = RequestQueue(clock, 1, discipline=discipline)
    queue.arrive(3.0)
    queue.arrive(3.0)
    for instant_s, speed in ((2.0, 0.0), (5.0, 2.0)):
        clock.run(instant_s)
        queue.set_speed(speed)
    clock.run()
    expected = [7.0, 7.0] if discipline == "sharing" else [5.5, 7.0]
    assert queue.log.response_s == pytest.approx(expected)
    assert queue.log.present == 0


def test_the_same_generator_gives_the_same_requests() -> None:
    runs = [
        simulate(np.random.default_rng(8), [(0.0, 5.0, speed)], 100.0, 0.1).found
        for speed in (1.0, 1.0, 0.7)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) == len(runs[2])
