"""Energy of one image: from a counter of the processor where there is one, else only a range, and named so."""

import time
from collections.abc import Callable
from pathlib import Path

from econet.runs.artifact_records import EnergyEstimate

POWERCAP = Path("/sys/class/powercap")
NO_COUNTER = "no counter"
RAPL = "RAPL package counter, idle power included"

# Watts of one busy core of a server, the range that the estimate spans.
_WATTS = (2.0, 10.0)
# The counter moves every millisecond or so and covers the whole package: a short reading is noise.
_SECONDS = 5.0


def measure_energy_mj(run: Callable[[], object], powercap: Path = POWERCAP, seconds: float = _SECONDS) -> float | None:
    """Millijoules of one call of `run`: it is repeated for `seconds` and the counters' difference divided.

    None where no package counter can be read, as in most virtual machines.
    """
    packages = _packages(powercap)
    before = [_microjoules(package) for package in packages]
    if not packages or None in before:
        return None
    calls = 0
    end = time.monotonic() + seconds
    while calls == 0 or time.monotonic() < end:
        run()
        calls += 1
    used = 0
    for package, start in zip(packages, before, strict=True):
        now = _microjoules(package)
        if now is None or start is None:
            return None
        used += unwrapped(start, now, _microjoules(package, "max_energy_range_uj"))
    return used / calls / 1000


def unwrapped(start: int, end: int, largest: int | None) -> int:
    """Microjoules between two readings of a counter that begins again at 0 after `largest`."""
    if end >= start:
        return end - start
    return end - start + (largest or 0) + 1


def estimate_energy(cpu_seconds: float) -> EnergyEstimate:
    """A range of millijoules for `cpu_seconds` of one core. Estimated, not measured."""
    low, high = _WATTS
    return EnergyEstimate(
        low_mj=cpu_seconds * low * 1000,
        high_mj=cpu_seconds * high * 1000,
        model=f"CPU time x {low:g} to {high:g} W a busy core; estimated, not measured",
    )


def _packages(powercap: Path) -> list[Path]:
    """Zones of whole packages (`intel-rapl:0`); their parts (`intel-rapl:0:0`) would count twice."""
    return [zone for zone in sorted(powercap.glob("intel-rapl:*")) if zone.name.count(":") == 1]


def _microjoules(zone: Path, name: str = "energy_uj") -> int | None:
    try:
        return int((zone / name).read_text())
    except (OSError, ValueError):
        return None
