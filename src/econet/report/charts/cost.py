"""Accuracy against one cost on a logarithmic axis, every point labelled beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, typeset

_WIDTH, _HEIGHT = 340, 252
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 14, 44
_LETTER = 6.7

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class CostPoint:
    """One file: what it costs, its accuracy and interval (fractions); `style` names its CSS class."""

    label: str
    cost: float
    accuracy: float
    interval: tuple[float, float]
    style: str


def cost_chart(points: Sequence[CostPoint], accuracy: Scale, caption: str, written: Callable[[float], str]) -> Markup:
    """Draw `points` over the shared `accuracy` axis (fractions); `written` turns a cost into words."""
    low, high = min(point.cost for point in points), max(point.cost for point in points)
    scale = Scale(low / 1.6, high * 1.6, log=True)
    places = _apart([(_x(scale.at(point.cost)), _y(accuracy.at(point.accuracy))) for point in points])
    parts = [*_vertical_axis(accuracy), *_horizontal_axis(scale, caption, written)]
    for point, (x, y) in zip(points, places, strict=True):
        parts += _mark(point, x, y, accuracy, written)
    parts += _labels(points, places, accuracy)
    said = "; ".join(f"{p.label}: {numbers.percent(p.accuracy)} at {written(p.cost)}" for p in points)
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return drawing(parts, f"Accuracy against {caption}. {said}", class_="chart", viewBox=box)


def _x(part: float) -> float:
    return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _y(part: float) -> float:
    return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def _vertical_axis(accuracy: Scale) -> list[Markup]:
    parts: list[Markup] = []
    percents = Scale(100 * accuracy.low, 100 * accuracy.high)
    ticks = percents.ticks(4)
    decimals = 0 if all(float(tick).is_integer() for tick in ticks) else 1
    for tick in ticks:
        y = _y(percents.at(tick))
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        text = typeset(f"{tick:.{decimals}f} %")
        parts.append(element("text", text, x=_LEFT - 7, y=y + 4, text_anchor="end", class_="quiet"))
    return parts


def _horizontal_axis(scale: Scale, caption: str, written: Callable[[float], str]) -> list[Markup]:
    bottom = _HEIGHT - _BOTTOM
    parts = [element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=bottom, y2=bottom, class_="axis")]
    for tick in scale.ticks(5):
        x = _x(scale.at(tick))
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
        text = typeset(_without_zeros(written(tick)))
        parts.append(element("text", text, x=x, y=bottom + 17, text_anchor="middle", class_="quiet"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(element("text", caption, x=middle, y=_HEIGHT - 6, text_anchor="middle", class_="quiet"))
    return parts


def _without_zeros(text: str) -> str:
    number, _, unit = text.partition(" ")
    return f"{float(number):g} {unit}".strip()


def _mark(point: CostPoint, x: float, y: float, accuracy: Scale, written: Callable[[float], str]) -> list[Markup]:
    low, high = (_y(min(1.0, max(0.0, accuracy.at(end)))) for end in point.interval)
    low_percent, high_percent = (numbers.percent(end, 2) for end in point.interval)
    exact = element(
        "title",
        f"{point.label}: {numbers.percent(point.accuracy, 2)} ({low_percent} to {high_percent}), {written(point.cost)}",
    )
    return [
        element("line", x1=x, x2=x, y1=low, y2=high, class_=f"whisker {point.style}"),
        element("circle", exact, cx=x, cy=y, r=5, class_=f"mark {point.style}"),
    ]


def _apart(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points that would cover each other, as fp32 and int8 with the same MACs, stand side by side."""
    moved: list[tuple[float, float]] = []
    for x, y in places:
        while any(abs(x - a) < 11 and abs(y - b) < 11 for a, b in moved):
            x += 1
        moved.append((x, y))
    return moved


def _labels(points: Sequence[CostPoint], places: Sequence[tuple[float, float]], accuracy: Scale) -> list[Markup]:
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    whiskers: list[Box] = []
    for point, (x, _) in zip(points, places, strict=True):
        low, high = (_y(accuracy.at(end)) for end in point.interval)
        whiskers.append((x - 1, high, x + 1, low))
    parts: list[Markup] = []
    for point, (x, y) in zip(points, places, strict=True):
        anchor, box = _place(_candidates(x, y, _LETTER * len(point.label)), taken, whiskers)
        taken.append(box)
        at = {"start": box[0], "end": box[2], "middle": (box[0] + box[2]) / 2}[anchor]
        if abs((box[1] + box[3]) / 2 - y) > 14:
            edge = box[3] if box[3] < y else box[1]
            parts.append(element("line", x1=x, x2=at, y1=y, y2=edge, class_="leader"))
        parts.append(element("text", point.label, x=at, y=box[3] - 3, text_anchor=anchor, class_="halo"))
    return parts


def _place(candidates: Sequence[tuple[str, Box]], taken: Sequence[Box], whiskers: Sequence[Box]) -> tuple[str, Box]:
    """The first free place; over a whisker rather than over a point or another label."""
    for avoided in ([*taken, *whiskers], taken):
        for candidate in candidates:
            if _is_free(candidate[1], avoided):
                return candidate
    return candidates[0]


def _candidates(x: float, y: float, width: float) -> list[tuple[str, Box]]:
    found: list[tuple[str, Box]] = []
    for shift in (0.0, -12.0, 12.0, -17.0, 17.0, -30.0, 30.0, -44.0, 44.0, -58.0, -72.0):
        top = y + shift - 7
        for anchor, left in (("start", x + 9), ("end", x - 9 - width), ("middle", x - width / 2)):
            found.append((anchor, (left, top, left + width, top + 14)))
    return found


def _is_free(box: Box, taken: Sequence[Box]) -> bool:
    left, top, right, bottom = box
    if left < _LEFT + 2 or right > _WIDTH or top < 0 or bottom > _HEIGHT - _BOTTOM:
        return False
    return all(right <= a or left >= c or bottom <= b or top >= d for a, b, c, d in taken)
