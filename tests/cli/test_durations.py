import pytest

from econet.errors import UserError
from econet.jobs.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1.5h", 5400), ("1h30m", 5400), (" 5M ", 300), ("0.5s", 0.5)],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 x", "5d", "m5", "1e3s", "nan", "infs", "5m!", "٣m٣x"])
def test_nonsense_is_refused_by_name(text):
    with pytest.raises(UserError, match="cannot be read") as caught:
        parse_duration(text)
    assert caught.value.what == f"--time {text!r} cannot be read"
    assert caught.value.remedy == "--time 90s, 5m or 2h"


def test_a_number_without_unit_is_shown_both_readings():
    with pytest.raises(UserError) as caught:
        parse_duration("90")
    assert caught.value.remedy == "--time 90s or 90m"


def test_no_time_is_refused():
    with pytest.raises(UserError, match="no time at all"):
        parse_duration("0m")
