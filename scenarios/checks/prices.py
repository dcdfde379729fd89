"""Check amounts of money: a single currency, and none below 0.

Prices that nobody wrote are placeholders, in whatever currency the written ones are.
"""

from collections.abc import Iterator

from ..language.fields import Fault
from ..language.units import Money
from ..spec.cost import Dedicated
from ..spec.spec import Spec


def faults_of_prices(spec: Spec) -> Iterator[Fault]:
    """Yield the first amount that is negative, or in another currency than the others.

    The place is the scenario as a whole: either of two amounts may be the one to change.

    One fault is yielded at most: amounts in three currencies would otherwise be told twice.
    """
    wanted = currency_of(spec)
    amounts = _amounts(spec)
    for what, money in amounts:
        if money.currency != wanted:
            other = "cost.currency"
            if "currency" not in spec.cost.model_fields_set:
                other = next(name for name, each in amounts if each.currency == wanted)
            message = (
                f"{what} is in {money.currency}, {other} is {wanted}; use one currency for all "
                "amounts"
            )
            yield (), message
            return
        if money.amount < 0:
            yield (), f"{what} is negative; write an amount of 0 or more"
            return


def currency_of(spec: Spec) -> str:
    """Return the currency that a scenario counts in: as it says, or that of its first amount."""
    amounts = _amounts(spec)
    if "currency" in spec.cost.model_fields_set or not amounts:
        return spec.cost.currency
    return amounts[0][1].currency


def _amounts(spec: Spec) -> list[tuple[str, Money]]:
    """Return the amounts that somebody wrote, and what each is called.

    Defaults of ``cost`` are left out, since they follow the currency of the written amounts. The
    order decides which amount sets the currency where ``cost.currency`` is absent: ``cost`` first,
    then groups of hosts, penalties and baselines.
    """
    amounts: list[tuple[str, Money | None]] = [
        (f"cost.{name}", getattr(spec.cost, name))
        for name in ("energy_price", "server_price", "investment")
        if name in spec.cost.model_fields_set
    ]
    amounts += [(f"price of group {group.name}", group.price) for group in spec.farm.hosts]
    amounts += [(f"licence of group {group.name}", group.licence) for group in spec.farm.hosts]
    amounts += [
        (f"penalty of {part.name}", part.penalty.price)
        for part in spec.applications
        if part.penalty
    ]
    amounts += [
        ("baseline.price", each.price) for each in spec.baseline if isinstance(each, Dedicated)
    ]
    return [(what, money) for what, money in amounts if money is not None]
