"""Intervals of a difference as bars on one axis, with the margin as a line: where a bar lies is the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, padded, share, typeset

_HEAD = 40
_FOOT = 42
_ANSWER_ROW = 56
_LIST_ROW = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One difference (fractions, candidate minus baseline) with its interval, a label over it and a note."""

    label: str
    estimate: float
    interval: tuple[float, float]
    note: str = ""

    @property
    def exact(self) -> str:
        """The unrounded figures."""
        low, high = (100 * end for end in self.interval)
        return f"{100 * self.estimate:+.3f} points, interval {low:+.3f} to {high:+.3f}"


def answer_chart(bar: Bar, margin: float, digits: int, alternative: str) -> Markup:
    """One bar, large, against the line of the accepted loss `margin` (fraction), its ends written beside it."""
    scale = padded([*bar.interval, 0.0, -1.4 * margin], part=0.2, least=0.002)
    bottom = _HEAD + _ANSWER_ROW
    middle = _HEAD + _ANSWER_ROW / 2
    low, high = bar.interval
    ends = [
        element(
            "text",
            typeset(numbers.points(end, digits)),
            x=share(scale.at(end)),
            dx=shift,
            y=middle + 5,
            text_anchor=anchor,
            class_="halo end",
        )
        for end, shift, anchor in ((low, -8, "end"), (high, 8, "start"))
    ]
    parts = [
        *_margin(scale, margin, digits, bottom),
        *_zero(scale, bottom),
        *_axis(scale, bottom),
        *_mark(scale, bar, middle, thickness=16),
        *ends,
    ]
    return drawing(parts, alternative, class_="chart stretch", width="100%", height=bottom + _FOOT)


def interval_list(bars: Sequence[Bar], margin: float | None, digits: int, alternative: str) -> Markup:
    """Many bars under each other, each with its label and figures; `margin` None draws no line for it."""
    ends = [end for bar in bars for end in bar.interval]
    scale = padded([*ends, 0.0, *([] if margin is None else [-1.25 * margin])], part=0.06, least=0.002)
    bottom = _HEAD + _LIST_ROW * len(bars) + 4
    parts = [] if margin is None else _margin(scale, margin, digits, bottom)
    parts += [*_zero(scale, bottom), *_axis(scale, bottom)]
    for number, bar in enumerate(bars):
        top = _HEAD + _LIST_ROW * number
        parts += [*_caption(bar, digits, top + 12), *_mark(scale, bar, top + 24, thickness=6)]
    return drawing(parts, alternative, class_="chart stretch", width="100%", height=bottom + _FOOT)


def _margin(scale: Scale, margin: float, digits: int, bottom: float) -> list[Markup]:
    at = scale.at(-margin)
    text = typeset(f"accepted loss {numbers.points(-margin, digits)}")
    beyond = element("rect", x="0", y=_HEAD - 8, width=share(at), height=bottom - _HEAD + 8, class_="beyond")
    line = element("line", x1=share(at), x2=share(at), y1=18, y2=bottom, class_="margin-line")
    anchor = "start" if at < 0.3 else "end" if at > 0.8 else "middle"
    return [beyond, line, element("text", text, x=share(at), y=11, text_anchor=anchor, class_="strong")]


def _zero(scale: Scale, bottom: float) -> list[Markup]:
    at = scale.at(0.0)
    anchor = "end" if at > 0.85 else "start" if at < 0.15 else "middle"
    return [
        element("line", x1=share(at), x2=share(at), y1=32, y2=bottom, class_="zero-line"),
        element("text", "no difference", x=share(at), y=27, text_anchor=anchor, class_="quiet halo"),
    ]


def _axis(scale: Scale, bottom: float) -> list[Markup]:
    parts = [element("line", x1="0", x2="100%", y1=bottom, y2=bottom, class_="axis")]
    points = Scale(100 * scale.low, 100 * scale.high)
    ticks = points.ticks(7)
    whole = all(float(tick).is_integer() for tick in ticks)
    decimals = 0 if whole else 1 if points.high - points.low > 0.5 else 2
    for tick in ticks:
        at = share(points.at(tick))
        parts.append(element("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="axis"))
        text = typeset(numbers.points(tick / 100, decimals))
        parts.append(element("text", text, x=at, y=bottom + 17, text_anchor="middle", class_="quiet"))
    caption = "points of accuracy, candidate minus baseline"
    return [*parts, element("text", caption, x="50%", y=bottom + 36, text_anchor="middle", class_="quiet")]


def _caption(bar: Bar, digits: int, y: float) -> list[Markup]:
    low, high = (numbers.points(end, digits) for end in bar.interval)
    text = typeset(f"{numbers.points(bar.estimate, digits)} ({low} to {high}){bar.note}")
    full = element("title", numbers.shown(bar.label))
    return [
        element("text", full, numbers.shown(bar.label, 24), x="0", y=y, class_="halo"),
        element("text", text, x="100%", y=y, text_anchor="end", class_="halo"),
    ]


def _mark(scale: Scale, bar: Bar, middle: float, thickness: float) -> list[Markup]:
    left, right = (scale.at(end) for end in bar.interval)
    exact = element("title", bar.exact)
    size = {"y": middle - thickness / 2, "height": thickness}
    return [
        element("rect", exact, x=share(left), width=share(right - left), class_="interval-bar", **size),
        element("circle", exact, cx=share(scale.at(bar.estimate)), cy=middle, r=5, class_="interval-point"),
    ]
