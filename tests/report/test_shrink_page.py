"""The page of a budget search: the answer, the front, and nothing from outside unescaped."""

import csv
import io
import itertools
import re

import pytest
from msgspec.structs import replace

from econet.report.charts.front import Spot, front_chart
from econet.report.shrink_page import detail, front_of, front_rows, headline, write_shrink_page, written
from made_search import POINTS, made_search, unreachable_search


def test_the_front_holds_what_nothing_beats_at_equal_training():
    record = made_search()
    # 24 KB at 79 % is beaten by 20 KB at 80 %; the stopped one and the one trained longer do not compare.
    assert front_of(record.points, "bytes") == (0, 1)
    assert front_of(record.points[::-1], "macs") == (5, 4)
    assert front_of((), "bytes") == ()


def test_the_page_answers_first_and_tells_each_budget(tmp_path):
    text = write_shrink_page(tmp_path, made_search()).read_text()
    assert text.index("Yes: the budget is kept") < text.index("The loss of accuracy") < text.index("What a budget buys")
    assert "28.0\u00a0KB" in text
    assert re.search(r"<td>kept</td>", text)
    assert "143\u00d7 smaller" in text  # 4,000,000 / 28,000
    assert "3.0\u00d7 faster" in text  # the median of 0.9, 0.84, 0.83 over 0.28
    assert "5 networks looked at: 3 trained, 1 stopped early, 1 over budget" in text


def test_names_and_warnings_from_outside_are_escaped(tmp_path):
    text = write_shrink_page(tmp_path, made_search()).read_text()
    assert "<b>clothes" not in text
    assert "&lt;b&gt;clothes" in text
    assert "was &lt;busy&gt;" in text
    assert "<script" not in text


def test_the_table_of_the_front_is_exact(tmp_path):
    write_shrink_page(tmp_path, made_search())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "front.csv").read_text())))
    assert [(row["number"], row["bytes"], row["validation_accuracy"]) for row in rows] == [
        ("0", "20000", "0.8"),
        ("1", "28000", "0.85"),
    ]
    assert front_rows(made_search())[1] == ["C9 P64/2", "28.0 KB", "28.0 KB", "280 K", "85.0 %", "2", "90.0 % after 30"]


def test_the_picture_stands_alone_and_draws_what_compares(tmp_path):
    write_shrink_page(tmp_path, made_search())
    picture = (tmp_path / "front.svg").read_text()
    assert 'xmlns="http://www.w3.org/2000/svg"' in picture
    assert "<style>" in picture
    assert picture.count("<circle") == 5  # three trials, the final network and the subject
    assert "budget 30.0\u00a0KB" in picture
    assert 'class="front-line"' in picture


def test_the_picture_is_read_on_a_screen_of_360_pixels(tmp_path):
    """Letters no smaller than 11 pixels where a drawing fills a page of 360 pixels but for its margins of 20."""
    page = write_shrink_page(tmp_path, made_search()).read_text()
    picture = (tmp_path / "front.svg").read_text()
    width = float(re.search(r'viewBox="0 0 (\d+)', picture).group(1))
    letters = float(re.findall(r"font-size: (\d+)px", picture)[-1])
    assert letters * (360 - 2 * 20) / width >= 11
    assert [name for name in ("wide", "narrow") if f'class="chart front-chart {name}"' in page] == ["wide", "narrow"]
    assert f".front-chart.narrow text {{ font-size: {letters:g}px; }}" in page
    # Its ticks have room: the longest label is as wide as nine letters of half their height.
    places = sorted(float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]* text-anchor="middle"', picture))
    costs = [x for x in places if x != (66 + width - 18) / 2]
    assert len(costs) >= 2
    assert min(b - a for a, b in itertools.pairwise(costs)) > 9 * letters / 2


@pytest.mark.parametrize(
    ("kept", "verdict", "said"),
    [
        (True, "yes", "Yes: the budget is kept"),
        (True, "undecided", "Undecided: the loss may be larger"),
        (True, "no", "No: too much accuracy is lost"),
        (False, "yes", "No: the budget is not kept"),
    ],
)
def test_each_answer_has_its_words(kept, verdict, said):
    assert headline(made_search(kept=kept, verdict=verdict)) == said


def test_an_impossible_budget_tells_the_nearest_point_and_the_least_of_each_cost(tmp_path):
    record = unreachable_search()
    assert headline(record) == "No: this budget cannot be reached here"
    assert detail(record) == (
        "The nearest point is C8 P64/2: 20.0 KB, 200 K MACs, 200 µs, int8. "
        "The least that was seen of each cost: file size 20.0 KB, MACs, one picture 200 K."
    )
    text = write_shrink_page(tmp_path, record).read_text()
    assert "cannot be reached" in text
    assert not (tmp_path / "front.svg").exists()


def test_a_search_without_an_accepted_drop_shows_the_difference_without_a_margin(tmp_path):
    made = made_search()
    text = write_shrink_page(tmp_path, replace(made, budgets=replace(made.budgets, max_drop=None))).read_text()
    assert "accepted loss" not in text
    assert "The loss of accuracy" in text


def test_labels_of_the_picture_keep_clear_of_each_other():
    spots = [Spot(10.0, 0.9, "a", "subject", "first"), Spot(10.1, 0.9, "b", "final", "second")]
    heights = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>(?:first|second)<', str(front_chart(spots, None, "x", str)))
    assert len(heights) == 2
    assert abs(float(heights[0]) - float(heights[1])) >= 14


def test_costs_are_written_with_their_units():
    assert written("energy_mj", 0.0123) == "0.0123 mJ"
    assert written("latency_ms", 0.28) == "280 µs"
    assert len(POINTS) == 6
