"""Figures made by hand: two columns of known colour, real pictures, answers and neighbours as one likes."""

from dataclasses import replace

import numpy as np

from econet.claims.colourfulness import colourfulness
from econet.report.figures import Alike, Column, Figures, Shown

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "A class with a name far too long for any narrow column", "Bag")


def column(*channels: tuple[float, float, float]) -> Column:
    """One filter a triple, which reads the three channels so."""
    pattern = np.random.default_rng(1).normal(size=(5, 5))
    filters = np.array([[weight * pattern for weight in each] for each in channels], np.float32)
    return Column(filters, colourfulness(filters))


def alike(pictures: np.ndarray, labels: tuple[int, ...]) -> tuple[Alike, ...]:
    return tuple(Alike(pictures[place], label, 1.5 * place, place) for place, label in enumerate(labels))


def made_figures(pictures: np.ndarray, *, truth: int | None = 4) -> Figures:
    """Two queries. Of the first's neighbours five, then two, are of class 4; of the second's all and none."""
    first = Shown(
        name="test image 12",
        pixels=pictures[0],
        truth=truth,
        probabilities=np.array([0.05, 0.1, 0.2, 0.04, 0.6, 0.01], np.float32),
        by_hidden=alike(pictures, (4, 4, 4, 0, 4, 4)),
        by_pixels=alike(pictures, (0, 4, 1, 2, 4, 3)),
    )
    second = replace(
        first,
        name='<script>alert("x")</script>.png',
        by_hidden=alike(pictures, (4,) * 6),
        by_pixels=alike(pictures, (1,) * 6),
    )
    return Figures(
        model="alexnet:mini",
        data="cifar10",
        seed=3,
        made="2026-11-21T15:00:00+00:00",
        classes=CLASSES,
        columns=(column(*[(1, 1, 1)] * 24), column(*[(1, -1, 0)] * 24)),
        p_value=0.0001,
        shown=(first, second),
        training_images=45_000,
        hidden_width=128,
    )
