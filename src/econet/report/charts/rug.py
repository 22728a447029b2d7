"""Figures between 0 and 1 as strokes on a line, a line a group, with the mean of each as a point."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from econet.report.charts.svg import drawing, element, share

_ROW, _HEAD, _FOOT = 52, 6, 26


def rug_chart(groups: Sequence[tuple[str, NDArray[np.float64]]], ends: tuple[str, str], alternative: str) -> Markup:
    """One line a group (label, values); `ends` say in words what 0 and what 1 is."""
    bottom = _HEAD + _ROW * len(groups)
    parts: list[Markup] = []
    for number, (label, values) in enumerate(groups):
        parts += _row(label, values, _HEAD + _ROW * number)
    for text, x, anchor in ((f"0: {ends[0]}", "0", "start"), (f"1: {ends[1]}", "100%", "end")):
        parts.append(element("text", text, x=x, y=bottom + 16, text_anchor=anchor, class_="quiet"))
    return drawing(parts, alternative, class_="chart stretch", width="100%", height=bottom + _FOOT)


def _row(label: str, values: NDArray[np.float64], top: float) -> list[Markup]:
    mean, middle = float(values.mean()), top + 34
    title = element("title", f"{label}: mean {mean:.4f} of {len(values)}")
    strokes = [
        element("line", x1=share(value), x2=share(value), y1=middle - 9, y2=middle + 9, class_="stroke")
        for value in values.tolist()
    ]
    return [
        element("text", label, x="0", y=top + 16),
        element("text", f"mean {mean:.2f}", x="100%", y=top + 16, text_anchor="end"),
        element("line", x1="0", x2="100%", y1=middle, y2=middle, class_="grid"),
        *strokes,
        element("circle", title, cx=share(mean), cy=middle, r=5, class_="interval-point"),
    ]
