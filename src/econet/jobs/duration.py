"""Durations as people write them: 90s, 5m, 2h, 1h30m."""

import re

from econet.errors import UserError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d+)?)([smh])"


def parse_duration(text: str, option: str = "--time") -> float:
    """Seconds in a duration such as `90s`, `5m`, `1.5h` or `1h30m`. Raises UserError for anything else."""
    compact = text.strip().lower()
    if not re.fullmatch(f"(?:{_PART})+", compact):
        why = "a number alone has no unit" if re.fullmatch(r"\d+(\.\d+)?", compact) else "it is no duration"
        near = f"{compact}s or {compact}m" if why.startswith("a number") else "90s, 5m or 2h"
        raise UserError(f"{option} {text!r} cannot be read", why, f"{option} {near}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, compact))
    if seconds == 0:
        raise UserError(f"{option} {text!r} is no time at all", "nothing can be trained in it", f"{option} 90s or more")
    return seconds
