"""What a search found: accuracy against one cost, the front through the best, and the budget as a line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, padded, typeset


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a drawing, its margins, its letters, and how many ticks an axis has room for."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    letters: int
    ticks: int

    def x(self, part: float) -> float:
        """Where a share of the axis of costs lies."""
        return self.left + part * (self.width - self.left - self.right)

    def y(self, part: float) -> float:
        """Where a share of the axis of accuracy lies."""
        return self.height - self.bottom - part * (self.height - self.top - self.bottom)


WIDE = Frame(width=720, height=400, left=56, right=24, top=24, bottom=52, letters=12, ticks=6)
# For screens from 360 pixels on, where its letters are shown at 11 pixels or more.
NARROW = Frame(width=420, height=400, left=66, right=18, top=28, bottom=62, letters=15, ticks=4)
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
    frame: Frame = WIDE,
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
    parts = [*_axes(frame, across, up, caption, written), *_budget_line(frame, across, budget, written)]
    line = _staircase([spot for spot in spots if spot.style == "front"], frame, across, up)
    parts += [element("path", d=line, class_="front-line")] if line else []
    order = {"plain": 0, "front": 1, "subject": 2, "final": 3}
    taken: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda each: order[each.style]):
        parts += _mark(spot, frame, across, up, written, taken)
    said = "; ".join(
        f"{spot.label or spot.words}: {numbers.percent(spot.accuracy)} at {written(spot.cost)}"
        for spot in spots
        if spot.style != "plain"
    )
    size = "narrow" if frame is NARROW else "wide"
    attributes: dict[str, str] = {"class_": f"chart front-chart {size}", "viewBox": f"0 0 {frame.width} {frame.height}"}
    if alone:
        attributes |= {"xmlns": "http://www.w3.org/2000/svg", "width": str(frame.width), "height": str(frame.height)}
        white = element("rect", x=0, y=0, width=frame.width, height=frame.height, fill="#ffffff")
        style = f"{STYLE}text {{ font-size: {frame.letters}px }}\n"
        parts = [element("style", Markup(style)), white, *parts]
    return drawing(parts, f"Accuracy on {split} against {caption}. {said}", **attributes)


def _axes(frame: Frame, across: Scale, up: Scale, caption: str, written: Callable[[float], str]) -> list[Markup]:
    bottom, ends = frame.y(0), (frame.left, frame.width - frame.right)
    parts: list[Markup] = []
    percents = Scale(100 * up.low, 100 * up.high)
    for tick in percents.ticks(6):
        y = frame.y(percents.at(tick))
        parts.append(element("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_="grid"))
        parts.append(
            element(
                "text",
                typeset(f"{tick:g} %"),
                x=ends[0] - 8,
                y=y + frame.letters / 3,
                text_anchor="end",
                class_="quiet",
            )
        )
    parts.append(element("line", x1=ends[0], x2=ends[1], y1=bottom, y2=bottom, class_="axis"))
    for tick in across.ticks(frame.ticks):
        x = frame.x(across.at(tick))
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis"))
        text = typeset(written(tick))
        parts.append(element("text", text, x=x, y=bottom + 8 + frame.letters, text_anchor="middle", class_="quiet"))
    parts.append(element("text", caption, x=sum(ends) / 2, y=frame.height - 8, text_anchor="middle", class_="quiet"))
    return parts


def _budget_line(frame: Frame, across: Scale, budget: float | None, written: Callable[[float], str]) -> list[Markup]:
    if budget is None:
        return []
    x = frame.x(across.at(budget))
    on_the_right = across.at(budget) < (0.8 if frame is WIDE else 0.6)
    text = typeset(f"budget {written(budget)}")
    return [
        element("line", x1=x, x2=x, y1=frame.top - 8, y2=frame.y(0), class_="budget-line"),
        element(
            "text",
            text,
            x=x + (7 if on_the_right else -7),
            y=frame.top + 2,
            text_anchor="start" if on_the_right else "end",
            class_="halo",
        ),
    ]


def _staircase(spots: Sequence[Spot], frame: Frame, across: Scale, up: Scale) -> str:
    """Along the front: what accuracy a cost can buy, constant up to the next point."""
    path: list[str] = []
    best = 0.0
    for spot in sorted(spots, key=lambda each: (each.cost, -each.accuracy)):
        if spot.accuracy <= best:
            continue
        best = spot.accuracy
        x, y = frame.x(across.at(spot.cost)), frame.y(up.at(spot.accuracy))
        path.append(f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}")
    return "".join(path) if len(path) > 1 else ""


def _mark(
    spot: Spot,
    frame: Frame,
    across: Scale,
    up: Scale,
    written: Callable[[float], str],
    taken: list[tuple[float, float]],
) -> list[Markup]:
    """The point and its label, which keeps clear of the labels already `taken`."""
    x, y = frame.x(across.at(spot.cost)), frame.y(up.at(spot.accuracy))
    exact = element("title", f"{spot.words}: {numbers.percent(spot.accuracy, 2)}, {written(spot.cost)}")
    radius = {"plain": 3.5, "front": 4.5, "subject": 5.5, "final": 6.5}[spot.style]
    parts = [element("circle", exact, cx=x, cy=y, r=radius, class_=f"spot {spot.style}")]
    if spot.interval is not None:
        low, high = (frame.y(up.at(end)) for end in spot.interval)
        parts.insert(0, element("line", x1=x, x2=x, y1=low, y2=high, class_="axis"))
    if spot.label:
        on_the_left = across.at(spot.cost) > (0.75 if frame is WIDE else 0.5)
        anchor, shift = ("end", -11) if on_the_left else ("start", 11)
        height, line = y + frame.letters / 3, frame.letters + 2
        while any(abs(height - other) < line and abs(x - beside) < 13 * line for beside, other in taken):
            height += line
        taken.append((x, height))
        parts.append(element("text", spot.label, x=x + shift, y=height, text_anchor=anchor, class_="halo"))
    return parts
