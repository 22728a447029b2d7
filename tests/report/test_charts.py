from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econet.report import numbers
from econet.report.charts.cost import CostPoint, cost_chart
from econet.report.charts.interval import Bar, answer_chart, interval_list
from econet.report.charts.learning import Learner, learning_chart
from econet.report.charts.svg import Scale, element, typeset
from econet.runs.records import Epoch


def first(tree, name):
    return next(node for node in tree.iter() if node.get("class", "").split(" ")[0] == name)


def percent(text):
    return float(text.rstrip("%"))


@settings(max_examples=50)
@given(st.floats(-0.2, 0.1), st.floats(0.0005, 0.1), st.floats(0.001, 0.05))
def test_the_bar_lies_against_the_margin_line_as_the_numbers_do(low, width, margin):
    high = low + width
    chart = answer_chart(Bar("", (low + high) / 2, (low, high)), margin, 1, "said")
    tree = ElementTree.fromstring(chart)
    bar, line = first(tree, "interval-bar"), first(tree, "margin-line")
    left, right, at = (
        percent(bar.get("x")),
        percent(bar.get("x")) + percent(bar.get("width")),
        percent(line.get("x1")),
    )
    tolerance = 0.02
    assert (left > at - tolerance) if low >= -margin else (left < at + tolerance)
    assert (right > at - tolerance) if high >= -margin else (right < at + tolerance)
    assert 0 <= left <= right <= 100


def test_the_estimate_and_the_zero_line_share_the_bars_scale():
    tree = ElementTree.fromstring(answer_chart(Bar("", 0.0, (-0.02, 0.02)), 0.01, 1, "said"))
    assert first(tree, "interval-point").get("cx") == first(tree, "zero-line").get("x1")


def test_a_list_draws_every_bar_and_escapes_its_label():
    bars = [Bar("<b>one</b>", -0.01, (-0.03, 0.01)), Bar('two"', 0.0, (-0.01, 0.01), ", 5 pictures")]
    chart = interval_list(bars, None, 1, "said")
    tree = ElementTree.fromstring(chart)
    assert len([node for node in tree.iter() if node.get("class") == "interval-bar"]) == 2
    assert "<b>" not in chart
    assert not [node for node in tree.iter() if node.get("class") == "margin-line"]


def test_every_point_of_a_cost_chart_is_labelled_and_tells_its_exact_values():
    points = [
        CostPoint("baseline", 20.1e6, 0.915, (0.909, 0.92), "baseline fp32"),
        CostPoint("baseline int8", 20.1e6, 0.914, (0.908, 0.92), "baseline int8"),
        CostPoint("candidate int8", 1.9e6, 0.913, (0.907, 0.918), "candidate int8"),
    ]
    tree = ElementTree.fromstring(cost_chart(points, Scale(0.9, 0.93), "MACs", numbers.magnitude))
    texts = [node.text for node in tree.iter("text")]
    assert all(point.label in texts for point in points)
    assert "candidate int8: 91.30 % (90.70 % to 91.80 %), 1.90 M" in [node.text for node in tree.iter("title")]
    circles = [(float(node.get("cx")), float(node.get("cy"))) for node in tree.iter("circle")]
    assert len({(round(x), round(y)) for x, y in circles}) == 3


@pytest.mark.parametrize("count", [1, 2, 300])
def test_learning_is_drawn_from_one_epoch_to_hundreds_and_the_last_one_tells_its_values(count):
    epochs = [
        Epoch(
            epoch=number,
            step=number,
            loss=1.0,
            train_accuracy=0.5,
            validation_loss=2 / number,
            validation_accuracy=1 - 0.9 / number,
            lr=0.1,
            seconds=6.0 * number,
            images_per_s=10.0,
        )
        for number in range(1, count + 1)
    ]
    chart = learning_chart([Learner("candidate", "candidate", epochs)])
    titles = [node.text for node in ElementTree.fromstring(chart).iter("title")]
    assert any(title.startswith(f"candidate, epoch {count}, {count / 10:.2f} min") for title in titles)
    assert len(chart) < 100_000


@given(st.floats(-100, 100), st.floats(1e-3, 1e3), st.integers(2, 8))
def test_linear_ticks_are_few_and_inside(low, span, most):
    high = low + span
    ticks = Scale(low, high).ticks(most)
    assert len(ticks) <= most
    assert all(low - 1e-6 * span <= tick <= high + 1e-6 * span for tick in ticks)


@given(st.floats(1e-3, 1e9), st.floats(2.6, 1e6))
def test_log_ticks_are_few_inside_and_never_none(low, factor):
    ticks = Scale(low, low * factor, log=True).ticks(5)
    assert 1 <= len(ticks) <= 5
    assert all(low <= tick <= low * factor for tick in ticks)


def test_elements_escape_text_and_attributes():
    assert element("text", '<&"', class_='a"b') == '<text class="a&#34;b">&lt;&amp;&#34;</text>'


def test_typesetting_leaves_dates_and_names_alone():
    assert typeset("-0.7 and 10x, 5 ms") == "\u22120.7 and 10\u00d7, 5\u00a0ms"
    assert typeset("2026-11-21 model-2 v1-3") == "2026-11-21 model-2 v1-3"
