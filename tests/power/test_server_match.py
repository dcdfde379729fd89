"""Keys of processors, and the level, curve and band that a host of an inventory gets."""

from collections import defaultdict
from statistics import median

import numpy as np
import pytest

from farmsim.models.hardware.cpu_names import cpu_clock_mhz, cpu_key, cpu_name, generation_of
from farmsim.models.hardware.server import Result, find_server, published_results, servers
from farmsim.models.hardware.server_match import (
    Match,
    Wanted,
    match,
    model_key,
    same_generation,
    same_processor,
    same_years,
)

KEYS = [
    ("Intel(R) Xeon(R) CPU           X5690  @ 3.47GHz", "xeon x5690", "Westmere"),
    ("Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", "xeon e5-2680", "Sandy Bridge"),
    ("E5-2680 0", "xeon e5-2680", "Sandy Bridge"),
    ("Intel Xeon E5-2660V2", "xeon e5-2660 v2", "Ivy Bridge"),
    ("Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "xeon e5-2690 v4", "Broadwell"),
    ("AMD EPYC 7763 64-Core Processor", "epyc 7763", "Milan"),
    ("AMD EPYC 7F52 16-Core Processor", "epyc 7f52", "Rome"),
    ("AMD EPYC 9755 128-Core Processor", "epyc 9755", "Turin"),
    ("INTEL(R) XEON(R) PLATINUM 8480+", "xeon platinum 8480+", "Sapphire Rapids"),
    ("xeon 8480+", "xeon platinum 8480+", "Sapphire Rapids"),
    ("Intel(R) Xeon(R) Platinum 8592+,", "xeon platinum 8592+", "Emerald Rapids"),
    ("xeon gold 6780e", "xeon 6780e", "Sierra Forest"),
    ("Intel(R) Xeon(R) 6980P", "xeon 6980p", "Granite Rapids"),
    ("Intel Xeon Platinum 8380HL 2.90 GHz", "xeon platinum 8380hl", "Cooper Lake"),
    ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "xeon gold 6248", "Cascade Lake"),
    ("AMD Opteron 4164EE", "opteron 4164 ee", "Magny-Cours"),
    ("Quad-Core AMD Opteron(r) Processor 8376 HE", "opteron 8376 he", "Shanghai"),
    ("Ampere® Altra® Q80-30", "altra q80-30", "Altra"),
    ("Common KVM processor", "common kvm", None),
    ("Intel Xeon Processor (Skylake, IBRS)", "", None),
    ("", "", None),
]


@pytest.mark.parametrize(("text", "key", "generation"), KEYS)
def test_key_and_generation_of_a_processor(text: str, key: str, generation: str | None) -> None:
    assert cpu_key(text) == key
    found = generation_of(key)
    assert (found.name if found else None) == generation
    if key:
        assert cpu_key(cpu_name(key)) == key


def test_clock_is_the_nominal_one_of_the_name() -> None:
    assert cpu_clock_mhz("Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz") == 2700
    assert cpu_clock_mhz("Xeon E5-2470 (Intel Turbo Boost Technology up to 3.10 GHz)") is None


def test_every_result_has_a_generation() -> None:
    assert not [each.cpu for each in published_results() if generation_of(each.cpu) is None]


def _matched(*host: object) -> Match:
    found = match(*host)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_levels_of_known_hosts() -> None:
    sandy = _matched(
        "Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", "ProLiant BL460c Gen8", 2, 16, 2700
    )
    assert (sandy.level, sandy.results, sandy.server) == ("B", 2, "xeon_e5_2680_2s")
    assert (sandy.watts[0], sandy.watts[-1], sandy.band) == (61.7, 241.5, 0.20)
    westmere = _matched("Intel(R) Xeon(R) CPU X5675 @ 3.07GHz", "ProLiant DL380 G7", 2, 12, 3066)
    assert (westmere.level, westmere.band) == ("A", 0.10)
    broadwell = _matched(
        "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "PowerEdge FC630", 2, 28, 2600
    )
    assert (broadwell.level, broadwell.generation, broadwell.neighbours) == ("C", "Broadwell", 11)
    assert (broadwell.results, broadwell.server, broadwell.band) == (5, None, 0.35)
    gold = _matched("Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz", "ProLiant DL380 Gen10", 2, 32, 2295)
    assert (gold.level, gold.results) == ("B", 1)
    ends = _matched("AMD EPYC 9845 160-Core Processor", None, 2, 320, 2100)
    assert (ends.level, ends.watts[0], ends.watts[-1]) == ("B2", 131, 714)
    only_ends = _matched("Intel(R) Xeon(R) 6747P", None, 2, 96, 2700)
    assert (only_ends.level, only_ends.generation) == ("C", "Granite Rapids")


# Hosts of three real inventories: count, processor, model, sockets, cores, MHz.
HOSTS = [
    (27, "Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", "ProLiant BL460c Gen8", 2, 16, 2700),
    (3, "Intel(R) Xeon(R) CPU E5-2667 v3 @ 3.20GHz", "ProLiant DL380 Gen9", 2, 16, 3196),
    (1, "Intel(R) Xeon(R) CPU           X5690  @ 3.47GHz", "ProLiant DL380 G7", 2, 12, 3465),
    (3, "Intel(R) Xeon(R) CPU           X5675  @ 3.07GHz", "ProLiant DL380 G7", 2, 12, 3066),
    (4, "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "PowerEdge FC630", 2, 28, 2600),
    (2, "Intel(R) Xeon(R) CPU E5-2690 0 @ 2.90GHz", "PowerEdge R720", 2, 16, 2899),
    (2, "Intel(R) Xeon(R) CPU E5-2697 v2 @ 2.70GHz", "PowerEdge R620", 2, 24, 2700),
    (7, "Intel(R) Xeon(R) Gold 5218 CPU @ 2.30GHz", "ProLiant DL380 Gen10", 2, 32, 2295),
]


def test_levels_of_49_real_hosts() -> None:
    counted: dict[str, int] = defaultdict(int)
    for number, *host in HOSTS:
        counted[_matched(*host).level] += number
    assert dict(counted) == {"A": 3, "B": 34, "C": 12}


@pytest.mark.parametrize(
    "host",
    [
        ("Common KVM processor", None, 2, 32, 2400.0),
        (None, "PowerEdge R740", 2, 32, 2400.0),
        ("", None, 2, 32, 2400.0),
        ("AMD EPYC 9455 48-Core Processor", None, None, 96, 3150.0),  # sockets cannot be known
        ("Intel(R) Xeon(R) Gold 6248", None, 2, None, None),
    ],
)
def test_what_is_not_near_is_refused(host: tuple[object, ...]) -> None:
    assert match(*host) is None  # type: ignore[arg-type]


def test_sockets_follow_from_cores_of_a_known_processor() -> None:
    assert _matched("AMD EPYC 9754 128-Core Processor", None, None, 256).sockets == 2
    assert _matched("AMD EPYC 9754 128-Core Processor", None, None, 128).sockets == 1


def test_medians_of_the_catalogue_are_those_of_the_results() -> None:
    groups: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for each in published_results():
        groups[each.cpu, each.sockets].append(each)
    entries = [each for each in servers().values() if each.level == "B"]
    assert len(entries) == len(groups)
    for entry in entries:
        found = groups[cpu_key(entry.cpu), entry.sockets]
        assert entry.results == len(found)
        curve = [median(each.watts[load] for each in found) for load in range(11)]
        assert entry.watts == pytest.approx(curve, rel=1e-9)
        assert entry.max_ops == pytest.approx(median(each.max_ops for each in found), rel=1e-9)


def test_estimates_of_the_catalogue_are_what_a_match_gives() -> None:
    entries = [each for each in servers().values() if each.level == "C"]
    assert entries
    for entry in entries:
        found = _matched(entry.cpu, None, entry.sockets, entry.cores, entry.core_mhz)
        assert (found.level, found.results) == ("C", entry.results)
        assert entry.watts == pytest.approx(found.watts, abs=0.051)
        assert entry.max_ops == pytest.approx(found.max_ops, rel=1e-5)
        assert entry.confidence == "E"


def test_model_is_compared_without_configuration() -> None:
    assert model_key("System x3650 M3 -[7945AC1]-") == model_key("System x3650 M3 (Intel X5675)")


def test_a_server_is_found_by_what_a_person_types() -> None:
    assert find_server("xeon_e5_2680_2s").id == "xeon_e5_2680_2s"
    assert find_server("epyc-9654-2s").id == find_server("2S 9654 epyc").id == "epyc_9654_2s"
    assert find_server("xeon platinum 8592+ 2s").id == "xeon_platinum_8592_plus_2s"
    assert find_server("epyc-9455-2s").level == "C"
    with pytest.raises(ValueError, match=r"'x5675' is \d+ servers.*xeon_x5675_2s"):
        find_server("x5675")
    with pytest.raises(ValueError, match="no server 'gold 6248 9s'; nearest: xeon_gold_6248_2s"):
        find_server("gold 6248 9s")


@pytest.mark.slow
def test_leaving_out_each_result_shows_the_errors_that_the_levels_state() -> None:
    # Medians and 90 % quantiles of the mean absolute error of a curve, in percent, as docs/power.md
    # has them; results of one to four sockets.
    results = [each for each in published_results() if each.sockets <= 4]
    errors: dict[str, list[float]] = defaultdict(list)
    for each in results:
        rest = [other for other in results if other is not each]
        others = [other for other in rest if other.cpu != each.cpu]
        host = Wanted(
            each.cpu, model_key(each.model), generation_of(each.cpu),
            each.sockets, each.cores, each.core_mhz,
        )  # fmt: skip
        any_model = Wanted(each.cpu, "", host.generation, each.sockets, each.cores, each.core_mhz)
        own = same_processor(rest, host)
        found = [own if own and own.level == "A" else None, same_processor(rest, any_model)]
        found += [same_generation(others, host), same_years(others, host)]
        for one in found:
            if one is not None:
                truth = np.array(each.watts)
                errors[one.level].append(float(np.abs(one.watts / truth - 1).mean()))
    stated = {"A": (2.8, 12.2), "B": (6.5, 21.4), "C": (11.3, 33.4), "D": (23.5, 73.4)}
    for level, (middle, high) in stated.items():
        assert 100 * np.median(errors[level]) == pytest.approx(middle, abs=0.1)
        assert 100 * np.quantile(errors[level], 0.9) == pytest.approx(high, abs=0.1)
