"""The published network in one drawing: its two columns, where they talk, and every map's size, from the record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from econet.models.architecture import AnyLayer, Architecture, Conv, Dense, Dropout, Lrn, MapNorm, MaxPool
from econet.models.shapes import Shape, walk
from econet.report.charts.svg import drawing, element

_STEP, _WIDE, _TALL, _GAP, _TOP, _LEFT = 118, 96, 88, 26, 64, 104
_INK, _QUIET, _LINE, _CROSSING = "#24292f", "#57606a", "#8c959f", "#bc4c00"
_COLUMNS = ("#ddf4ff", "#fff8c5")
_BOTH = "#eaeef2"


@dataclass(slots=True)
class _Stage:
    """A layer with weights and what follows it, until the next one with weights."""

    name: str
    kernel: str
    columns: int
    crosses: bool
    shape: Shape
    followed: list[str] = field(default_factory=list[str])


def two_columns(architecture: Architecture) -> Markup:
    """A two-column network from image to classes; orange lines are where a column reads the other one's maps."""
    stages = list(_stages(architecture))
    channels, height, width = architecture.input
    full = 2 * _TALL + _GAP
    middle = _TOP + full / 2
    parts = [
        element("rect", x=0, y=0, width=_LEFT + _STEP * len(stages), height=_TOP + full + 96, fill="#ffffff"),
        _box(8, middle - 34, 66, 68, _BOTH),
        *_lines((f"{height} x {width}", f"x {channels}"), 41, middle - 8, _INK),
        *_lines(("image",), 41, middle + 54, _QUIET),
    ]
    for number, stage in enumerate(stages):
        parts += _stage(stage, stages[number - 1] if number else None, _LEFT + _STEP * number)
    size = {"viewBox": f"0 0 {_LEFT + _STEP * len(stages)} {_TOP + full + 96}"}
    return drawing(
        parts,
        f"{architecture.name}: {len(stages)} layers with weights in two columns",
        xmlns="http://www.w3.org/2000/svg",
        font_family="system-ui, sans-serif",
        font_size=12,
        **size,
    )


def _stages(architecture: Architecture) -> Iterator[_Stage]:
    """Each layer with weights, the map it ends in after pooling, and what lies between."""
    found: _Stage | None = None
    convolutions = denses = 0
    for layer, reads, gives in walk(architecture):
        if isinstance(layer, Conv | Dense):
            if found is not None:
                yield found
            if isinstance(layer, Conv):
                convolutions += 1
                crosses = layer.groups == 1 and convolutions > 1
                split = 2 if layer.groups == 2 or crosses or convolutions == 1 else 1
                found = _Stage(f"conv{convolutions}", f"{layer.kernel} x {layer.kernel}", split, crosses, gives)
                if layer.stride > 1:
                    found.kernel += f", every {layer.stride}"
            else:
                denses += 1
                last = gives[0] == architecture.classes
                found = _Stage(f"f{convolutions + denses}", "dense", 1 if last else 2, True, gives)
        elif found is not None:
            found.followed += _word(layer)
            found.shape = gives if reads[1:] != gives[1:] and gives[1] > 1 else found.shape
    if found is not None:
        yield found


def _word(layer: AnyLayer) -> list[str]:
    match layer:
        case Lrn():
            return ["normalised"] if layer.columns == 1 else ["normalised inside"]
        case MapNorm():
            return ["and inside each map"]
        case MaxPool():
            return [f"largest of {layer.kernel} x {layer.kernel}"]
        case Dropout():
            return [f"dropout {layer.p:g}"]
        case _:
            return []


def _stage(stage: _Stage, before: _Stage | None, left: float) -> list[Markup]:
    channels, height, width = stage.shape
    size = f"{height} x {width}" if height > 1 else ""
    centre = left + _WIDE / 2
    parts = [
        *_lines((stage.name,), centre, _TOP - 34, _INK, bold=True),
        *_lines((stage.kernel,), centre, _TOP - 16, _QUIET),
    ]
    tops = (_TOP, _TOP + _TALL + _GAP) if stage.columns == 2 else (_TOP + (_TALL + _GAP) / 2,)
    for column, top in enumerate(tops):
        colour = _COLUMNS[column] if stage.columns == 2 else _BOTH
        count = f"{channels // stage.columns:,}"
        parts.append(_box(left, top, _WIDE, _TALL, colour))
        parts += _lines((count, size) if size else (count,), centre, top + _TALL / 2 - (4 if size else -4), _INK)
    parts += _arrows(stage, before, left, tops)
    parts += _lines(stage.followed, centre, _TOP + 2 * _TALL + _GAP + 20, _QUIET)
    return parts


def _arrows(stage: _Stage, before: _Stage | None, left: float, tops: Sequence[float]) -> list[Markup]:
    """Lines from what the stage reads: inside the columns in gray, across them in orange."""
    start = left - (_STEP - _WIDE) if before is not None else left - 30
    middle = _TOP + _TALL + _GAP / 2
    whole = before is None or before.columns == 1
    sources = [middle] if whole else [_TOP + _TALL / 2, _TOP + _TALL + _GAP + _TALL / 2]
    parts: list[Markup] = []
    for column, top in enumerate(tops):
        for source, y in enumerate(sources):
            across = not whole and len(tops) == 2 and source != column
            if across and not stage.crosses:
                continue
            colour = _CROSSING if across else _LINE
            parts.append(element("line", x1=start, y1=y, x2=left, y2=top + _TALL / 2, stroke=colour, stroke_width=1.5))
    return parts


def _box(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, rx=6, fill=colour, stroke=_LINE)


def _lines(words: Sequence[str], x: float, y: float, colour: str, *, bold: bool = False) -> list[Markup]:
    weight = "600" if bold else None
    return [
        element("text", word, x=x, y=y + 15 * number, text_anchor="middle", fill=colour, font_weight=weight)
        for number, word in enumerate(words)
    ]
