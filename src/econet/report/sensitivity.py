"""A network's sensitivity in words, as a table and as a spreadsheet's file."""

import csv
import io
from collections.abc import Sequence

from econet.report import numbers
from econet.runs.sensitivity_records import Cost, LayerSensitivity, PrunedCost, Sensitivity

# A loss of accuracy that is worth a sentence of its own.
COSTLY = 0.01


def by_loss(layers: Sequence[LayerSensitivity], unchanged: Cost) -> list[LayerSensitivity]:
    """The layers, those first that cost most in 8 bits, then those that cost most with half their channels gone."""
    return sorted(layers, key=lambda layer: (_rise(layer.only_int8, unchanged), _half(layer, unchanged)), reverse=True)


def lost(cost: Cost | PrunedCost | None, unchanged: Cost) -> float | None:
    """The fraction of accuracy lost against the network as it is; None where nothing was measured."""
    return None if cost is None else unchanged.accuracy - cost.accuracy


def sentence(layers: Sequence[LayerSensitivity], unchanged: Cost, int8: Cost, remedy: str) -> tuple[str | None, str]:
    """The layer that costs most, and what to do about it; None where no layer could be changed.

    `remedy` says what brings back what 8 bits cost.
    """
    ordered = by_loss(layers, unchanged)
    if not ordered:
        return None, "no layer of this network can be quantized or pruned"
    worst, total = ordered[0], unchanged.accuracy - int8.accuracy
    alone = lost(worst.only_int8, unchanged)
    if alone is not None and max(alone, total) > COSTLY:
        without = lost(worst.all_but_int8, unchanged) or 0.0
        return worst.layer, (
            f"{worst.layer} costs most in 8 bits: {numbers.points(-alone)} points alone, {numbers.points(-total)} with "
            f"all layers, {numbers.points(-without)} with all but it; {remedy}"
        )
    prunable = [layer for layer in layers if layer.pruned]
    said = f"8 bits change the accuracy by {numbers.points(-total)} points and no layer stands out"
    if not prunable:
        return worst.layer, said
    prunable.sort(key=lambda layer: _half(layer, unchanged))
    dearest, cheapest = prunable[-1], prunable[0]
    most, least = (unchanged.accuracy - _at_half(layer).accuracy for layer in (dearest, cheapest))
    return dearest.layer, (
        f"{said}; half of the channels of {dearest.layer} cost most ({numbers.points(-most)} points), "
        f"those of {cheapest.layer} least ({numbers.points(-least)}): prune there first"
    )


def _rise(cost: Cost | PrunedCost | None, unchanged: Cost) -> float:
    return -1e9 if cost is None else cost.cross_entropy - unchanged.cross_entropy


def _half(layer: LayerSensitivity, unchanged: Cost) -> float:
    return _rise(_at_half(layer), unchanged) if layer.pruned else -1e9


def _at_half(layer: LayerSensitivity) -> PrunedCost:
    return min(layer.pruned, key=lambda each: abs(each.removed_fraction - 0.5))


def table_rows(record: Sensitivity) -> tuple[list[str], list[list[str]]]:
    """Headings and rows for the terminal, the costliest layer first; accuracies as points against the float network."""
    fractions = _fractions(record)
    headings = ["Layer", "Weights", "8 bits alone", "nats", "all but it"]
    headings += [f"-{100 * fraction:.0f} % channels" for fraction in fractions]
    rows: list[list[str]] = []
    for layer in by_loss(record.layers, record.unchanged):
        pruned = {each.removed_fraction: each for each in layer.pruned}
        only = layer.only_int8
        rows.append(
            [
                numbers.shown(layer.layer),
                f"{layer.operator} {' x '.join(map(str, layer.shape))}",
                _points(only, record),
                "" if only is None else f"{only.cross_entropy - record.unchanged.cross_entropy:+.3f}",
                _points(layer.all_but_int8, record),
                *(_points(pruned.get(fraction), record) for fraction in fractions),
            ]
        )
    return headings, rows


def _points(cost: Cost | PrunedCost | None, record: Sensitivity) -> str:
    gone = lost(cost, record.unchanged)
    return "" if gone is None else numbers.points(-gone, 2)


def _fractions(record: Sensitivity) -> list[float]:
    return sorted({each.removed_fraction for layer in record.layers for each in layer.pruned})


def as_csv(record: Sensitivity) -> str:
    """A line a layer, in the order they run; accuracies are fractions, cross-entropies nats, absent figures empty."""
    fractions = _fractions(record)
    names = ["only_int8", "all_but_int8", *(f"without_{100 * fraction:.0f}_percent" for fraction in fractions)]
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(
        ["layer", "operator", "shape", *(f"{name}_{figure}" for name in names for figure in ("accuracy", "nats"))]
    )
    whole = [record.unchanged, record.int8]
    for label, cost in zip(("(network in float)", "(network in int8)"), whole, strict=True):
        lines.writerow([label, "", "", cost.accuracy, cost.cross_entropy])
    for layer in record.layers:
        pruned = {each.removed_fraction: each for each in layer.pruned}
        costs = [layer.only_int8, layer.all_but_int8, *(pruned.get(fraction) for fraction in fractions)]
        figures = [("", "") if cost is None else (cost.accuracy, cost.cross_entropy) for cost in costs]
        shape = "x".join(map(str, layer.shape))
        lines.writerow([layer.layer, layer.operator, shape, *(value for pair in figures for value in pair)])
    return written.getvalue()
