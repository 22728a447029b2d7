"""What each layer costs, drawn: on the left 8 bits in this layer alone, on the right a part of its channels gone."""

from collections.abc import Sequence

from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import Scale, drawing, element, typeset
from econet.report.sensitivity import lost
from econet.runs.sensitivity_records import LayerSensitivity, PrunedCost, Sensitivity

_ROW, _TOP, _BOTTOM, _PANEL, _GAP, _LETTER = 22, 56, 46, 250, 36, 7.0
_INK, _QUIET, _GRID, _WORST = "#24292f", "#57606a", "#d8dee4", "#bc4c00"
_SHADES = ("#9ec5e8", "#4a90c4", "#1b5a8a")
# Less than this many points is drawn as nothing, so that a chart of noise does not look like one of losses.
_LEAST_SPAN = 1.0


def sensitivity_chart(record: Sensitivity) -> Markup:
    """Points of accuracy lost, a row a layer in the order they run; the layer the sentence names is set apart."""
    labels = [numbers.shown(layer.layer, 40) for layer in record.layers]
    left = 20 + _LETTER * max((len(label) for label in labels), default=0)
    right = left + _PANEL + _GAP
    bottom = _TOP + _ROW * len(labels)
    bits = [_in_points(lost(layer.only_int8, record.unchanged)) for layer in record.layers]
    removed = [[_in_points(lost(each, record.unchanged)) for each in layer.pruned] for layer in record.layers]
    width, height = right + _PANEL + 24, bottom + _BOTTOM
    parts = [element("rect", x=0, y=0, width=width, height=height, fill="#ffffff")]
    scales = [_scale(bits), _scale([value for row in removed for value in row])]
    for start, scale, title in zip((left, right), scales, ("8 bits in this layer alone", _key(record)), strict=True):
        parts += _axes(start, bottom, scale, title)
    for place, layer in enumerate(record.layers):
        middle = _TOP + _ROW * (place + 0.5)
        colour = _WORST if layer.layer == record.worst else _INK
        parts.append(_text(labels[place], left - 10, middle + 4, "end", colour))
        parts += _bar(left, middle, scales[0], bits[place], layer, colour=colour)
        parts += _dots(right, middle, scales[1], removed[place], layer.pruned, layer.layer)
    said = f"Points of accuracy lost by layer of {record.model}. {record.sentence}"
    sizes = {"viewBox": f"0 0 {width:g} {height}", "width": width, "height": height}
    style = {"font_family": "system-ui, sans-serif", "font_size": 12}
    return drawing(parts, said, xmlns="http://www.w3.org/2000/svg", **sizes, **style)


def _in_points(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _key(record: Sensitivity) -> str:
    shares = sorted({each.removed_fraction for layer in record.layers for each in layer.pruned})
    listed = ", ".join(f"{100 * share:.0f}" for share in shares)
    return f"{listed} % of its channels removed" if shares else "no channels can be removed"


def _scale(points: Sequence[float | None]) -> Scale:
    found = [value for value in points if value is not None]
    return Scale(min(0.0, *found, 0.0), max(_LEAST_SPAN, *found, 0.0))


def _x(start: float, scale: Scale, value: float) -> float:
    return start + _PANEL * scale.at(value)


def _axes(start: float, bottom: float, scale: Scale, title: str) -> list[Markup]:
    parts = [_text(title, start, _TOP - 26, "start", _INK)]
    for tick in scale.ticks(5):
        x = _x(start, scale, tick)
        parts.append(element("line", x1=x, x2=x, y1=_TOP - 8, y2=bottom, stroke=_GRID))
        parts.append(_text(typeset(f"{tick:g}"), x, bottom + 16, "middle", _QUIET))
    zero = _x(start, scale, 0.0)
    parts.append(element("line", x1=zero, x2=zero, y1=_TOP - 8, y2=bottom, stroke=_INK))
    parts.append(_text("points of accuracy lost", start + _PANEL / 2, bottom + 36, "middle", _QUIET))
    return parts


def _bar(
    start: float, middle: float, scale: Scale, value: float | None, layer: LayerSensitivity, *, colour: str
) -> list[Markup]:
    if value is None:
        return [_text("stays float", _x(start, scale, 0.0) + 6, middle + 4, "start", _QUIET)]
    low, high = sorted((_x(start, scale, 0.0), _x(start, scale, value)))
    exact = element("title", f"{layer.layer}: {value:.2f} points")
    fill = _SHADES[1] if colour == _INK else _WORST
    return [element("rect", exact, x=low, y=middle - 6, width=max(high - low, 1), height=12, fill=fill)]


def _dots(
    start: float, middle: float, scale: Scale, values: Sequence[float | None], removed: Sequence[PrunedCost], name: str
) -> list[Markup]:
    """A dot a share, the darkest for the largest; what says which share it is lies in its title."""
    places = [_x(start, scale, value) for value in values if value is not None]
    if not places:
        return [_text("the classes themselves", _x(start, scale, 0.0) + 6, middle + 4, "start", _QUIET)]
    parts = [element("line", x1=min(places), x2=max(places), y1=middle, y2=middle, stroke=_GRID, stroke_width=2)]
    for place, value, cost, shade in zip(places, values, removed, _SHADES, strict=False):
        exact = element(
            "title", f"{name} without {100 * cost.removed_fraction:.0f} % of its channels: {value:.2f} points"
        )
        parts.append(element("circle", exact, cx=place, cy=middle, r=5, fill=shade))
    return parts


def _text(text: str, x: float, y: float, anchor: str, colour: str) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, fill=colour)
