"""SVG from numbers: escaped elements, scales and few ticks. All colours come from CSS classes."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Coordinate = float | str


def element(tag: str, *children: str, **attributes: Coordinate | None) -> Markup:
    """One element; children and attribute values are escaped unless they are Markup already.

    A trailing underscore is dropped (`class_`), others become dashes (`text_anchor`); None leaves one out.
    """
    written = [
        f' {name.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    inside = "".join(str(escape(child)) for child in children)
    return Markup(f"<{tag}{''.join(written)}>{inside}</{tag}>")


def drawing(children: Sequence[Markup], alternative: str, **attributes: Coordinate) -> Markup:
    """The outermost `<svg>` with its text alternative."""
    return element("svg", Markup().join(children), role="img", aria_label=alternative, **attributes)


def share(fraction: float) -> str:
    """A coordinate as a percentage of the drawing's width, so that text keeps its size when it stretches."""
    return f"{100 * fraction:.2f}%"


def typeset(text: str) -> str:
    """Figures as a printer sets them: a true minus, a times sign, no break before a unit."""
    text = re.sub(r"(?<![\w.])-(?=\d)", "\u2212", text)
    text = re.sub(r"(?<=\d)x\b", "\u00d7", text)
    return re.sub(r"(?<=\d) (?=(%|K|M|G|T|B|KB|MB|GB|TB|s|ms|µs|min|h|points)(?!\w))", "\u00a0", text)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to 0..1 between `low` and `high`, on a logarithmic axis where `log`."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside, at most `most` of them where the axis is linear."""
        return self._log_ticks(most) if self.log else self._linear_ticks(most)

    def _linear_ticks(self, most: int) -> list[float]:
        span = self.high - self.low
        step = 10.0 ** math.floor(math.log10(span / most))
        for multiple in (1, 2, 5, 10, 20):
            if span / (step * multiple) <= most - 0.5:
                step *= multiple
                break
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]

    def _log_ticks(self, most: int) -> list[float]:
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for multiples in ((1, 2, 5), (1, 3), (1,)):
            values = [multiple * 10.0**exponent for exponent in exponents for multiple in multiples]
            inside = [value for value in values if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def padded(values: Sequence[float], part: float = 0.08, least: float = 1e-9) -> Scale:
    """A linear scale around `values` with `part` of the span free at both ends."""
    low, high = min(values), max(values)
    room = max(high - low, least) * part
    if high - low < least:
        room = least
    return Scale(low - room, high + room)


def _number(value: Coordinate) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
