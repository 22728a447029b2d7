"""figures.html: a run's first filters, its five likeliest labels and its nearest pictures, in one file of its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from econet.files import write_text
from econet.report import numbers
from econet.report.charts.rug import rug_chart
from econet.report.embedded import Embedded, embedded, reduced
from econet.report.figures import Alike, Column, Figures, Shown
from econet.report.rendering import rendered

PAGE = "figures.html"
_NAMES = ("Column a", "Column b")
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class _Likely:
    """A bar: the class, its probability, and whether it is the picture's own."""

    name: str
    probability: float
    true: bool

    @property
    def width(self) -> str:
        """As a style attribute takes it."""
        return f"{100 * self.probability:.2f}%"


@dataclass(frozen=True, slots=True)
class _Neighbour:
    """A training picture with its class; `same`: it is the picture's own."""

    picture: Embedded
    name: str
    same: bool
    distance: str


def write_figures(folder: Path, figures: Figures) -> Path:
    """Draw `folder/figures.html` and return its path. Raises UserError where it cannot be written."""
    path = folder / PAGE
    columns = figures.columns
    content = {
        "figures": figures,
        "numbers": numbers,
        "columns": [(_column_name(number, figures), _drawn(each)) for number, each in enumerate(columns)],
        "side": columns[0].filters.shape[-1],
        "filters": sum(len(each.filters) for each in columns),
        "rug": _rug(figures),
        "colour": colour_words(figures),
        "purity": purity_words(figures),
        "pictures": [_picture(shown, figures.classes) for shown in figures.shown],
        "marked": any(shown.truth is not None for shown in figures.shown),
    }
    write_text(path, rendered("figures.html", **content))
    return path


def colour_words(figures: Figures) -> str:
    """What the columns' colourfulness amounts to, in one sentence or two."""
    means = [each.colourfulness.mean() for each in figures.columns if each.colourfulness is not None]
    if not means:
        return "The pictures are gray: there is no colour for a filter to read."
    if figures.p_value is None:
        return f"Their colourfulness is {means[0]:.2f} on average."
    verdict = (
        "more than chance explains"
        if figures.p_value < _CHANCE
        else "no more than chance explains in filters of this number and spread"
    )
    return (
        f"The columns' means are {means[0]:.2f} and {means[1]:.2f}. Of random divisions of the same filters, "
        f"{_share(figures.p_value)} differ at least as much (permutation test, p = {figures.p_value:.2g}): {verdict}."
    )


def purity_words(figures: Figures) -> str:
    """How often the neighbours are of their picture's class, or an empty text where no class is known."""
    hidden, pixels = figures.purity("by_hidden"), figures.purity("by_pixels")
    if hidden is None or pixels is None:
        return ""
    return (
        f"Of the nearest training pictures {numbers.percent(hidden, 0)} are of the picture's own class by the last "
        f"hidden layer, {numbers.percent(pixels, 0)} by raw pixels."
    )


def _share(p: float) -> str:
    return numbers.percent(p, 2 if p < 0.01 else 0)


def _column_name(number: int, figures: Figures) -> str:
    if len(figures.columns) > 1:
        return _NAMES[number]
    return "All filters"


def _rug(figures: Figures) -> Markup | None:
    """The colourfulness of every filter; None where nothing is coloured."""
    groups = [
        (_column_name(number, figures), each.colourfulness)
        for number, each in enumerate(figures.columns)
        if each.colourfulness is not None
    ]
    if not groups:
        return None
    said = "; ".join(f"{name}: mean colourfulness {values.mean():.2f}" for name, values in groups)
    return rug_chart(groups, ("gray", "nothing but colour"), said)


def _drawn(column: Column) -> list[Embedded]:
    """Each filter as a picture: zero is the gray in the middle, its largest weight one end of the scale."""
    return [embedded(filter_pixels(weights)) for weights in column.filters]


def filter_pixels(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A filter [C, h, w] as uint8 [h, w, C]: 127.5 where it is zero, 0 or 255 at its largest weight."""
    largest = np.abs(weights).max()
    level = 127.5 + 127.5 * weights / (largest if largest > 0 else 1.0)
    return np.rint(level).astype(np.uint8).transpose(1, 2, 0)


def _picture(shown: Shown, classes: tuple[str, ...]) -> dict[str, object]:
    return {
        "name": shown.name,
        "picture": embedded(reduced(shown.pixels)),
        "truth": None if shown.truth is None else classes[shown.truth],
        "likely": [_Likely(classes[label], share, label == shown.truth) for label, share in shown.top],
        "rows": [
            ("by the last hidden layer", [_neighbour(each, shown, classes) for each in shown.by_hidden]),
            ("by raw pixels", [_neighbour(each, shown, classes) for each in shown.by_pixels]),
        ],
    }


def _neighbour(each: Alike, shown: Shown, classes: tuple[str, ...]) -> _Neighbour:
    distance = f"distance {numbers.significant(each.distance)}"
    return _Neighbour(embedded(reduced(each.pixels)), classes[each.label], each.label == shown.truth, distance)
