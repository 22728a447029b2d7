"""Reliability: how often a confidence was right. On the diagonal the network means what it says."""

from collections.abc import Sequence

from markupsafe import Markup

from econet.report.charts.svg import Scale, drawing, element, typeset
from econet.runs.artifact_records import ReliabilityBin

_SIZE = 300
_LEFT, _TOP, _BOTTOM = 46, 10, 44
_RIGHT = 14


def reliability_chart(bins: Sequence[ReliabilityBin], low: float, style: str, label: str) -> Markup:
    """Draw mean confidence against accuracy (fractions) from `low` to 1; `style` names the CSS class."""
    scale = Scale(low, 1.0)
    parts = _axes(scale)
    points = " ".join(f"{_x(scale.at(each.confidence)):.1f},{_y(scale.at(each.accuracy)):.1f}" for each in bins)
    parts.append(element("polyline", points=points, class_=f"curve {style}"))
    for each in bins:
        text = f"{each.images:,} pictures: confidence {100 * each.confidence:.1f} %, right {100 * each.accuracy:.1f} %"
        x, y = _x(scale.at(each.confidence)), _y(scale.at(each.accuracy))
        parts.append(element("circle", element("title", text), cx=x, cy=y, r=4, class_=f"mark {style}"))
    alternative = f"Reliability of {label}: confidence against share of right answers in {len(bins)} groups"
    return drawing(parts, alternative, class_="chart", viewBox=f"0 0 {_SIZE} {_SIZE}")


def reliability_low(charts: Sequence[Sequence[ReliabilityBin]]) -> float:
    """Where the axes of all charts begin: the least value, rounded down to a tenth."""
    least = min((min(each.confidence, each.accuracy) for bins in charts for each in bins), default=0.0)
    return min(0.9, int(10 * least) / 10)


def _x(part: float) -> float:
    return _LEFT + part * (_SIZE - _LEFT - _RIGHT)


def _y(part: float) -> float:
    return _SIZE - _BOTTOM - part * (_SIZE - _TOP - _BOTTOM)


def _axes(scale: Scale) -> list[Markup]:
    bottom, right = _y(0.0), _x(1.0)
    parts = [
        element("line", x1=_LEFT, x2=right, y1=bottom, y2=bottom, class_="axis"),
        element("line", x1=_LEFT, x2=right, y1=bottom, y2=_y(1.0), class_="zero-line"),
    ]
    for tick in Scale(100 * scale.low, 100.0).ticks(4):
        part = scale.at(tick / 100)
        text = typeset(f"{tick:g} %")
        parts.append(element("line", x1=_LEFT, x2=right, y1=_y(part), y2=_y(part), class_="grid"))
        parts.append(element("text", text, x=_LEFT - 7, y=_y(part) + 4, text_anchor="end", class_="quiet"))
        parts.append(element("text", text, x=_x(part), y=bottom + 17, text_anchor="middle", class_="quiet"))
    caption = "confidence; upwards: share right"
    middle = (_LEFT + right) / 2
    return [*parts, element("text", caption, x=middle, y=_SIZE - 6, text_anchor="middle", class_="quiet")]
