"""What an explanation amounts to, in words for the terminal and the page alike: plain text, no markup."""

from collections.abc import Sequence

from econet.report import numbers
from econet.runs.choices import ExplainMethod
from econet.runs.explanation_records import (
    Explanation,
    Explanations,
    MapAgreement,
    MapEvidence,
    PictureMap,
)
from econet.statistics.intervals import t_interval

METHODS: dict[ExplainMethod, str] = {"masks": "random masks", "occlusion": "occlusion", "grad-cam": "Grad-CAM"}
# Fewer places than this on a side are named: the map cannot be finer.
_COARSE = 7
_SHADES, _PLAIN_SHADES = " ░▒▓█", " .:*#"


def place(found: PictureMap) -> str:
    """Where the map points, or that it points nowhere."""
    return place_name(found.place)


def place_name(found: str | None) -> str:
    """A place in words; of a flat map, which has none, that it points nowhere."""
    return "nowhere: no part of the picture matters more than another" if found is None else found


def how(found: PictureMap) -> str:
    """How the map came about, and how fine it is where that is little."""
    times = "one answer and its gradient" if found.method == "grad-cam" else f"{numbers.whole(found.asked)} answers"
    text = f"{METHODS[found.method]}, {times}"
    if found.places is not None and max(found.places) < _COARSE:
        text += f"; its last maps tell {found.places[0]} x {found.places[1]} places apart"
    return text


def agreement(found: MapAgreement) -> str:
    """Whether two subjects gave the same answer, and how far they looked at the same places."""
    same = "the same answer" if found.same_answer else "different answers"
    if found.rank_correlation is None or found.top_overlap is None:
        return f"{same}; a map is flat, so that there is nothing to hold against the other"
    return (
        f"{same}; rank correlation of the maps {found.rank_correlation:.2f}, "
        f"{numbers.percent(found.top_overlap, 0)} of their strongest fifths in common (20 % by chance)"
    )


def evidence(found: MapEvidence) -> str:
    """Whether a map is true of its picture."""
    text = (
        f"deletion leaves {found.deletion:.2f} ({found.random_deletion:.2f} with random masks), "
        f"insertion reaches {found.insertion:.2f} ({found.random_insertion:.2f})"
    )
    if found.forgotten is not None:
        text += f"; rank correlation with the map of random weights {found.forgotten:.2f}"
    return text


def summary(record: Explanations) -> str | None:
    """Over several pictures: how often two subjects agree, and how far they look at the same places. Else None."""
    found = [each.agreement for each in record.images if each.agreement is not None]
    if len(found) < 2:
        return None
    same = sum(each.same_answer for each in found)
    text = f"On {len(found)} pictures: the same answer on {same}"
    ranks = [each.rank_correlation for each in found if each.rank_correlation is not None]
    tops = [each.top_overlap for each in found if each.top_overlap is not None]
    if ranks:
        rank, top = _mean(ranks, (-1, 1)), _mean(tops, (0, 1))
        text += f"; on average rank correlation {rank}, share of the strongest fifths in common {top} (0.20 by chance)"
    return f"{text}."


def answers(found: Explanation) -> str:
    """The likeliest classes with their probabilities."""
    return ", ".join(f"{numbers.shown(each.label)} {numbers.percent(each.probability)}" for each in found.answers)


def blocks(found: PictureMap, *, plain: bool = False) -> list[str]:
    """The map as eight lines of sixteen characters, from blank to full; with `plain` in ASCII."""
    shades = _PLAIN_SHADES if plain else _SHADES
    strongest = max(max(row) for row in found.grid)
    if found.flat or strongest <= 0:
        return [shades[0] * 16] * len(found.grid)
    return ["".join(2 * _shade(value / strongest, shades) for value in row) for row in found.grid]


def _shade(level: float, shades: str) -> str:
    return shades[round(max(0.0, level) * (len(shades) - 1))]


def _mean(values: Sequence[float], bounds: tuple[float, float]) -> str:
    """The mean, from three values with its t interval, cut at what is possible."""
    mean = f"{sum(values) / len(values):.2f}"
    if len(values) < 3:
        return mean
    low, high = t_interval(values)
    return f"{mean} ({max(low, bounds[0]):.2f} to {min(high, bounds[1]):.2f})"
