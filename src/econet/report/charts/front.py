"""What a search found: accuracy against one cost, the front through the best, and the budget as a line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, padded, typeset

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 24, 52
# A drawing of its own has no page around it to take its colours from.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #17191c } .quiet { fill: #5b626a }
.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
.grid { stroke: #d5d9dd } .axis { stroke: #5b626a } .front-line { fill: none; stroke: #0a62c4; stroke-width: 2 }
.budget-line { stroke: #17191c; stroke-width: 2 } .spot { fill: #9ca3ab } .spot.front { fill: #0a62c4 }
.spot.subject { fill: #17191c } .spot.final { fill: #0a62c4; stroke: #17191c; stroke-width: 2 }
"""


@dataclass(frozen=True, slots=True)
class Spot:
    """One network: its cost, its accuracy (a fraction), what it is, and `style`: plain, front, subject or final.

    An `interval` of the accuracy is drawn as an upright line through the point.
    """

    cost: float
    accuracy: float
    words: str
    style: str
    label: str = ""
    interval: tuple[float, float] | None = None


def front_chart(
    spots: Sequence[Spot],
    budget: float | None,
    caption: str,
    written: Callable[[float], str],
    *,
    split: str = "validation",
    alone: bool = False,
) -> Markup:
    """Draw `spots` over a logarithmic axis of cost, the front's as a staircase, and `budget` as an upright line.

    `written` turns a cost into words; `split` is what the accuracies are of. `alone` gives a file that stands by
    itself, on white and with its own colours.
    """
    costs = [spot.cost for spot in spots] + ([] if budget is None else [budget])
    across = Scale(min(costs) / 1.25, max(costs) * 1.25, log=True)
    ends = [end for spot in spots for end in spot.interval or ()]
    up = padded([*(spot.accuracy for spot in spots), *ends], part=0.1, least=0.01)
    parts = [*_axes(across, up, caption, written), *_budget_line(across, budget, written)]
    line = _staircase([spot for spot in spots if spot.style == "front"], across, up)
    parts += [element("path", d=line, class_="front-line")] if line else []
    order = {"plain": 0, "front": 1, "subject": 2, "final": 3}
    taken: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda each: order[each.style]):
        parts += _mark(spot, across, up, written, taken)
    said = "; ".join(
        f"{spot.label or spot.words}: {numbers.percent(spot.accuracy)} at {written(spot.cost)}"
        for spot in spots
        if spot.style != "plain"
    )
    attributes: dict[str, str] = {"class_": "chart front-chart", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}"}
    if alone:
        attributes |= {"xmlns": "http://www.w3.org/2000/svg", "width": str(_WIDTH), "height": str(_HEIGHT)}
        white = element("rect", x=0, y=0, width=_WIDTH, height=_HEIGHT, fill="#ffffff")
        parts = [element("style", Markup(STYLE)), white, *parts]
    return drawing(parts, f"Accuracy on {split} against {caption}. {said}", **attributes)


def _x(part: float) -> float:
    return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _y(part: float) -> float:
    return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def _axes(across: Scale, up: Scale, caption: str, written: Callable[[float], str]) -> list[Markup]:
    bottom = _y(0)
    parts: list[Markup] = []
    percents = Scale(100 * up.low, 100 * up.high)
    for tick in percents.ticks(6):
        y = _y(percents.at(tick))
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(element("text", typeset(f"{tick:g} %"), x=_LEFT - 8, y=y + 4, text_anchor="end", class_="quiet"))
    parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=bottom, y2=bottom, class_="axis"))
    for tick in across.ticks(6):
        x = _x(across.at(tick))
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis"))
        text = typeset(written(tick))
        parts.append(element("text", text, x=x, y=bottom + 20, text_anchor="middle", class_="quiet"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(element("text", caption, x=middle, y=_HEIGHT - 8, text_anchor="middle", class_="quiet"))
    return parts


def _budget_line(across: Scale, budget: float | None, written: Callable[[float], str]) -> list[Markup]:
    if budget is None:
        return []
    x = _x(across.at(budget))
    on_the_right = across.at(budget) < 0.8
    text = typeset(f"budget {written(budget)}")
    return [
        element("line", x1=x, x2=x, y1=_TOP - 8, y2=_y(0), class_="budget-line"),
        element(
            "text",
            text,
            x=x + (7 if on_the_right else -7),
            y=_TOP + 2,
            text_anchor="start" if on_the_right else "end",
            class_="halo",
        ),
    ]


def _staircase(spots: Sequence[Spot], across: Scale, up: Scale) -> str:
    """Along the front: what accuracy a cost can buy, constant up to the next point."""
    path: list[str] = []
    best = 0.0
    for spot in sorted(spots, key=lambda each: (each.cost, -each.accuracy)):
        if spot.accuracy <= best:
            continue
        best = spot.accuracy
        x, y = _x(across.at(spot.cost)), _y(up.at(spot.accuracy))
        path.append(f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}")
    return "".join(path) if len(path) > 1 else ""


def _mark(
    spot: Spot, across: Scale, up: Scale, written: Callable[[float], str], taken: list[tuple[float, float]]
) -> list[Markup]:
    """The point and its label, which keeps clear of the labels already `taken`."""
    x, y = _x(across.at(spot.cost)), _y(up.at(spot.accuracy))
    exact = element("title", f"{spot.words}: {numbers.percent(spot.accuracy, 2)}, {written(spot.cost)}")
    radius = {"plain": 3.5, "front": 4.5, "subject": 5.5, "final": 6.5}[spot.style]
    parts = [element("circle", exact, cx=x, cy=y, r=radius, class_=f"spot {spot.style}")]
    if spot.interval is not None:
        low, high = (_y(up.at(end)) for end in spot.interval)
        parts.insert(0, element("line", x1=x, x2=x, y1=low, y2=high, class_="axis"))
    if spot.label:
        on_the_left = across.at(spot.cost) > 0.75
        anchor, shift = ("end", -11) if on_the_left else ("start", 11)
        height = y + 4
        while any(abs(height - other) < 14 and abs(x - beside) < 160 for beside, other in taken):
            height += 14
        taken.append((x, height))
        parts.append(element("text", spot.label, x=x + shift, y=height, text_anchor=anchor, class_="halo"))
    return parts
