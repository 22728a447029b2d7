import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from econet.statistics.intervals import (
    images_needed,
    margin_for_yes,
    provable_margin,
    t_interval,
    tango,
    verdict,
    wilson,
)

Z = stats.norm.ppf(0.975)


@st.composite
def paired_counts(draw):
    n = draw(st.integers(2, 12_000))
    n10 = draw(st.integers(0, n))
    return n10, draw(st.integers(0, n - n10)), n


def score_by_brute_force(n10, n01, n, difference):
    """Tango's statistic with the restricted maximum found by minimising the likelihood itself."""

    def unlikelihood(q):
        cells = [(n10, q), (n01, q + difference), (n - n10 - n01, 1 - 2 * q - difference)]
        return -sum(count * math.log(share) for count, share in cells if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    q = optimize.minimize_scalar(
        unlikelihood, bounds=(low + 1e-13, high - 1e-13), method="bounded", options={"xatol": 1e-13}
    ).x
    return (n01 - n10 - n * difference) / math.sqrt(n * (2 * q + difference * (1 - difference)))


@pytest.mark.parametrize(
    ("n10", "n01", "n"), [(7, 1, 21), (12, 2, 44), (40, 25, 372), (171, 150, 10_000), (3, 0, 90), (0, 5, 60)]
)
def test_tango_limits_are_where_the_score_is_z_by_brute_force(n10, n01, n):
    low, high = tango(n10, n01, n)
    assert score_by_brute_force(n10, n01, n, low) == pytest.approx(Z, abs=2e-4)
    assert score_by_brute_force(n10, n01, n, high) == pytest.approx(-Z, abs=2e-4)


def test_tango_gives_the_published_limits_for_airway_hyper_responsiveness():
    # Fagerland, Lydersen and Laake 2014 (Statistics in Medicine 33): 21 children, pairs 1, 1, 7, 12.
    assert tango(n10=7, n01=1, n=21) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize("n", [1, 372, 381, 10_000])
def test_without_disagreement_tango_is_z_squared_over_n_plus_z_squared(n):
    bound = Z**2 / (n + Z**2)
    assert tango(0, 0, n) == pytest.approx((-bound, bound), abs=1e-12)


def test_381_images_in_agreement_prove_one_point_and_380_do_not():
    assert verdict(tango(0, 0, 381), 0.01) == "yes"
    assert verdict(tango(0, 0, 380), 0.01) == "undecided"


@given(paired_counts())
def test_tango_holds_the_difference_seen_and_stays_within_one(counts):
    n10, n01, n = counts
    low, high = tango(n10, n01, n)
    assert -1 <= low <= (n01 - n10) / n <= high <= 1
    assert high > low


@given(paired_counts())
def test_tango_mirrors_when_the_sides_are_swapped(counts):
    n10, n01, n = counts
    low, high = tango(n10, n01, n)
    assert tango(n01, n10, n) == pytest.approx((-high, -low), abs=1e-9)


@settings(max_examples=30)
@given(st.integers(3_000, 50_000), st.floats(0.01, 0.3), st.floats(-0.5, 0.5))
def test_tango_comes_to_walds_interval_when_images_are_many(n, disagreement, lean):
    n10, n01 = round(n * disagreement * (1 - lean) / 2), round(n * disagreement * (1 + lean) / 2)
    difference = (n01 - n10) / n
    half = Z * math.sqrt(((n10 + n01) / n - difference**2) / n)
    assert tango(n10, n01, n) == pytest.approx((difference - half, difference + half), abs=15 / n)


def test_tango_covers_the_true_difference_about_95_times_in_100():
    generator = np.random.default_rng(5)
    draws = generator.multinomial(400, [0.06, 0.03, 0.91], size=1500)
    held = [low <= -0.03 <= high for low, high in (tango(int(a), int(b), 400) for a, b, _ in draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("n10", "n01", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(n10, n01, n):
    with pytest.raises(ValueError, match="not possible"):
        tango(n10, n01, n)


@given(st.integers(1, 20_000), st.floats(0, 1))
def test_wilson_is_scipys(n, share):
    successes = round(share * n)
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_more_successes_than_images():
    with pytest.raises(ValueError, match="no share"):
        wilson(6, 5)


@pytest.mark.parametrize(
    ("interval", "answer"),
    [
        ((-0.007, 0.003), "yes"),
        ((0.01, 0.02), "yes"),
        ((-0.01, 0.003), "undecided"),
        ((-0.02, -0.01), "undecided"),
        ((-0.02, -0.0101), "no"),
    ],
)
def test_verdict_follows_where_the_interval_lies_at_one_point(interval, answer):
    assert verdict(interval, 0.01) == answer


@given(paired_counts())
def test_just_over_the_margin_for_yes_the_answer_is_yes_and_just_under_it_is_not(counts):
    interval = tango(*counts)
    margin = margin_for_yes(interval)
    assert verdict(interval, margin + 1e-9) == "yes"
    assert margin == 0 or verdict(interval, margin - 1e-9) != "yes"


def test_provable_margin_is_half_an_interval_at_the_assumed_disagreement():
    assert provable_margin(10_000) == pytest.approx(Z * math.sqrt(0.05 / 10_000), rel=0.02)
    assert provable_margin(381, disagreement=0.0) == pytest.approx(Z**2 / (381 + Z**2), abs=1e-12)
    assert provable_margin(372) > 0.02


@pytest.mark.parametrize(("difference", "disagreement"), [(-0.005, 0.05), (0.0, 0.0), (-0.03, 0.1), (0.01, 0.04)])
def test_images_needed_is_the_first_number_that_decides(difference, disagreement):
    n = images_needed(difference, disagreement, 0.01)
    assert n is not None

    def answer(images):
        counts = (images * (disagreement - difference) / 2, images * (disagreement + difference) / 2)
        return verdict(tango(*counts, images), 0.01)

    assert answer(n) != "undecided"
    assert answer(n - 1) == "undecided"


def test_no_number_of_images_decides_a_difference_on_the_margin_itself():
    assert images_needed(-0.01, 0.05, 0.01) is None


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40))
def test_t_interval_is_scipys(values):
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    low, high = t_interval(values)
    assert (low + high) / 2 == pytest.approx(np.mean(values), abs=1e-12)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-9, abs=1e-12)


def test_two_repeats_get_no_interval():
    with pytest.raises(ValueError, match="at least 3"):
        t_interval([0.9, 0.91])
