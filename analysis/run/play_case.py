"""Run a built case; faults of user policies become input errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...policies.user_policies.guard import PolicyFaultError
from ...scenarios.build.build import Case, refuse_unplaced
from ...scenarios.errors.problems import PolicyError, Problem, refuse
from ...scenarios.scenario import Scenario
from ...sim.initial_placement import UnplacedError
from ...sim.outcome import Outcome
from ...sim.plan_checks import PlanError


def play(case: Case, report_time: Callable[[float], None] | None = None) -> Outcome:
    """Run the engine of a case; ``report_time`` is called with the simulated time at every step.

    Raises InputError if the initial placement found no host for a VM that must have one, and
    PolicyError if a policy answered what can never be right or failed.

    A case can be played once: its farm is at the end of the run afterwards. A PlanError, which is
    an error of a control policy, names the policy and the time.
    """
    try:
        return case.engine.run(report_time)
    except UnplacedError as error:
        raise refuse_unplaced(case, error) from None
    except PlanError as error:
        problem = Problem(case.name, "policies.control", str(error))
        raise PolicyError(problem, case.title, case.engine.now_s) from None
    except PolicyFaultError as error:
        raise policy_error(case.name, error) from error


@contextmanager
def telling_policy_faults(scenario: str) -> Iterator[None]:
    """Turn a fault of a policy of others, met outside a run, into a PolicyError."""
    try:
        yield
    except PolicyFaultError as error:
        raise policy_error(scenario, error) from error


def until(scenario: Scenario, at_s: float, first_s: float) -> Scenario:
    """Return a scenario that ends at an instant, at ``first_s`` to see the farm at time 0.

    Raises InputError if the instant is not within the run.

    ``at_s`` and ``first_s`` are in s. Reporting instants stay those of the scenario.
    """
    if not 0 <= at_s <= scenario.run.duration:
        end = f"{scenario.run.duration / 3600:g} h"
        message = f"is {at_s / 3600:g} h; set a time from 0 h to the end of the run, {end}"
        raise refuse(scenario.name, message, "--at")
    run = scenario.run.model_copy(update={"duration": at_s or first_s})
    return scenario.model_copy(update={"run": run})


def policy_error(scenario: str, fault: PolicyFaultError) -> PolicyError:
    """Return the error message for a fault in a user policy."""
    problem = Problem(scenario, "", str(fault), fault.trace)
    return PolicyError(problem, fault.policy, fault.time_s)
