import pytest
from hypothesis import given
from hypothesis import strategies as st

from econet.report import numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (312, "312"),
        (999.6, "1.00 K"),
        (77_834, "77.8 K"),
        (999_999, "1.00 M"),
        (20_100_000, "20.1 M"),
    ],
)
def test_magnitudes_keep_three_digits(number, text):
    assert numbers.magnitude(number) == text


def test_a_kilobyte_is_a_thousand_bytes():
    assert numbers.file_size(81_300) == "81.3 KB"
    assert numbers.file_size(812) == "812 B"
    assert numbers.file_size(4_410_000) == "4.41 MB"


@pytest.mark.parametrize(
    ("ms", "text"), [(0.119, "119 µs"), (0.0042, "4.20 µs"), (0.9999, "1.00 ms"), (31.25, "31.2 ms")]
)
def test_time_for_a_picture_is_in_microseconds_under_a_millisecond(ms, text):
    assert numbers.per_image(ms) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.1, "10.0x faster"),
        (0.26, "3.8x faster"),
        (1.21, "slower: 1.2x"),
        (1.001, "the same"),
        (0.999, "the same"),
    ],
)
def test_a_ratio_that_goes_the_wrong_way_is_said_as_such(ratio, text):
    assert numbers.factor(ratio, "faster", "slower") == text


@given(st.floats(0, 1))
def test_a_margin_is_rounded_up_so_that_it_still_holds(margin):
    assert float(numbers.margin_points(margin)) >= 100 * margin - 1e-8


@given(st.integers(1, 10**9))
def test_rough_numbers_are_not_below_the_exact_ones(number):
    rough = int(numbers.roughly(number).replace(",", ""))
    assert number <= rough <= 1.1 * number + 1


def test_nothing_has_no_sign():
    assert numbers.points(-0.0001) == "0.0"
    assert numbers.points(-0.007) == "-0.7"
    assert numbers.points(0.003) == "+0.3"


@pytest.mark.parametrize(
    ("duration", "text"), [(0.94, "0.9 s"), (48.2, "48 s"), (130, "2 min 10 s"), (3900, "1 h 5 min")]
)
def test_durations_are_said_in_the_unit_that_fits(duration, text):
    assert numbers.seconds(duration) == text


def test_direction_marks_and_control_characters_in_names_are_made_visible():
    assert numbers.shown("abc\u202efed\n") == "abc[U+202E]fed[U+000A]"


def test_long_names_are_cut_with_an_ellipsis():
    assert numbers.shown("x" * 50, 10) == "x" * 9 + "…"
