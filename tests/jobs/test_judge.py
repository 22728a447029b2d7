"""The judgement on counted answers: pairing, ratios, the verdict's sentence, and what a reader is warned of."""

import msgspec
import numpy as np
import pytest

from econet.errors import UserError
from econet.jobs import judge
from econet.measurement.accuracy import Predictions

pytest_plugins = ["small_comparison"]


def answers(*right):
    """Predictions of two classes: 1 where an answer is right."""
    truth = np.zeros(len(right), np.uint16)
    predicted = np.array([0 if good else 1 for good in right], np.uint16)
    return Predictions(truth, predicted, np.full((len(right), 2), 0.5, np.float16))


def altered(side, **training):
    return msgspec.structs.replace(side, training=msgspec.structs.replace(side.training, **training))


def equal_rounds(sides):
    return {side.artifact: (1.0, 1.0, 1.0) for side in sides}


@pytest.fixture
def sides(compared):
    """The rows of a real comparison, with trainings of 100 and 60 seconds that had come to rest."""
    seconds = {"baseline": 100.0, "candidate": 60.0}
    return [altered(side, seconds=seconds[side.role], still_improving=False) for side in compared.record.sides]


def test_the_difference_counts_images_that_exactly_one_side_got_right():
    found = judge.difference(answers(1, 1, 1, 0, 0, 1, 1, 0), answers(1, 0, 0, 1, 0, 1, 1, 0))
    assert (found.n10, found.n01, found.images) == (2, 1, 8)
    assert found.candidate_minus_baseline == -1 / 8


def test_the_same_answers_differ_by_nothing_within_the_interval_of_no_disagreement():
    found = judge.difference(answers(*[1] * 100), answers(*[1] * 100))
    z_squared = 1.959963985**2
    assert found.candidate_minus_baseline == 0
    assert found.interval == pytest.approx((-z_squared / (100 + z_squared), z_squared / (100 + z_squared)))


def test_answers_to_other_images_cannot_be_paired():
    with pytest.raises(UserError, match="cannot be paired"):
        judge.difference(answers(1, 1), answers(1, 1, 0))


@pytest.mark.parametrize(
    ("interval", "verdict", "words"),
    [
        ((-0.004, 0.01), "yes", "-0.40 to +1.00 points on 400 images, lies wholly above the margin of -1.00 points"),
        ((-0.03, -0.011), "no", "lies wholly below"),
        ((-0.03, 0.01), "undecided", "reaches across"),
        ((-0.03, -0.01), "undecided", "reaches across"),
        ((-0.01, 0.02), "undecided", "reaches across"),
    ],
)
def test_the_verdict_is_read_off_the_interval_and_says_why(compared, interval, verdict, words):
    found = msgspec.structs.replace(compared.record.difference, interval=interval, images=400)
    answer, reason = judge.reason(found, 0.01)
    assert answer == verdict
    assert words in reason


def test_the_verdict_is_about_candidate_int8_and_baseline_fp32(sides):
    assert [(side.role, side.precision) for side in judge.pair(sides)] == [("baseline", "fp32"), ("candidate", "int8")]
    assert [side.precision for side in judge.same_precision(sides)] == ["int8", "int8"]


def test_a_side_with_one_file_is_judged_by_that_file(sides):
    only_fp32 = [side for side in sides if (side.role, side.precision) != ("candidate", "int8")]
    assert judge.pair(only_fp32)[1].precision == "fp32"
    assert judge.same_precision(only_fp32) is None


def test_ratios_are_candidate_over_baseline_and_latency_the_median_of_the_rounds(sides):
    large, small = judge.pair(sides)
    rounds = {large.artifact: (2.0, 4.0, 1.0), small.artifact: (1.0, 1.0, 1.0)}
    found = judge.ratios(large, small, rounds)
    assert (found.latency, found.latency_range) == (0.5, (0.25, 1.0))
    assert found.bytes == small.benchmark.bytes / large.benchmark.bytes < 1
    uncounted = msgspec.structs.replace(large, benchmark=msgspec.structs.replace(large.benchmark, macs=None))
    assert judge.ratios(uncounted, small, rounds).macs is None


def test_a_fair_comparison_that_came_to_rest_needs_no_warning(sides):
    assert judge.warnings(sides, equal_rounds(sides)) == []


def test_a_baseline_that_trained_for_less_is_a_warning(sides):
    short = [altered(side, seconds=50.0) if side.role == "baseline" else side for side in sides]
    assert judge.warnings(short, equal_rounds(short)) == [
        "the baseline trained 50 s, less than the 60 s of the other side"
    ]


def test_the_seconds_of_a_teacher_of_its_own_count_on_the_candidate_s_side(sides):
    teacher = msgspec.structs.replace(altered(sides[0], seconds=45.0), role="teacher")
    assert judge.warnings([*sides, teacher], equal_rounds([*sides, teacher])) == [
        "the baseline trained 100 s, less than the 105 s of the other side"
    ]


def test_no_claim_about_time_where_a_side_is_a_file(sides):
    file = [msgspec.structs.replace(side, training=None) if side.role == "baseline" else side for side in sides]
    assert judge.warnings(file, equal_rounds(file)) == []


def test_a_side_still_improving_is_a_warning(sides):
    restless = [altered(side, still_improving=True) if side.role == "baseline" else side for side in sides]
    (warning,) = judge.warnings(restless, equal_rounds(restless))
    assert warning.startswith("the baseline was still improving")


def test_what_the_export_warned_of_is_passed_on_with_the_side_s_name(sides):
    noted = msgspec.structs.replace(
        sides[3], export=msgspec.structs.replace(sides[3].export, warnings=("these operators stay in float: Div",))
    )
    assert judge.warnings([*sides[:3], noted], equal_rounds([*sides[:3], noted])) == [
        "candidate int8: these operators stay in float: Div"
    ]
