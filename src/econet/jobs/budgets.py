"""Budgets: checked before anything is done, and held against what a file costs."""

import math

from econet.errors import UserError
from econet.measurement.energy import measure_energy_mj
from econet.runs.shrink_records import Budgets, CostName, FileCost

# The search aims at this share of a latency or energy budget: both are measured, and measurements spread.
MEASURED_AIM = 0.9
# A trained file may differ by a few constants from the untrained one that was weighed before.
BYTES_AIM = 0.995
_OPTIONS = {
    "max_latency_ms": "--max-latency-ms",
    "max_kb": "--max-kb",
    "max_macs": "--max-macs",
    "max_energy_mj": "--max-energy-mj",
    "max_drop": "--max-drop",
}


def check_budgets(budgets: Budgets) -> None:
    """Raises UserError for no budget at all, for one no file can keep, and for energy where it cannot be measured."""
    stated = {name: getattr(budgets, name) for name in _OPTIONS if getattr(budgets, name) is not None}
    if not stated:
        raise UserError(
            "no budget was stated",
            "without one there is nothing to shrink to",
            "--max-latency-ms, --max-kb, --max-macs or --max-drop",
        )
    for name, value in stated.items():
        if name != "max_drop" and not (value > 0 and math.isfinite(value)):
            raise UserError(
                f"{_OPTIONS[name]} {value:g} is no budget", "no file costs so little", f"{_OPTIONS[name]} above 0"
            )
    if budgets.max_drop is not None and not 0 <= budgets.max_drop < 1:
        raise UserError(
            f"--max-drop {budgets.max_drop:g} is out of range",
            "it is the loss of accuracy you accept, as a fraction: 0.01 is one point; 1 or more would allow any answer",
            "--max-drop 0.01",
        )
    if budgets.max_energy_mj is not None and measure_energy_mj(lambda: None, seconds=0.0) is None:
        raise UserError(
            "--max-energy-mj cannot be kept here",
            "this machine has no energy counter that can be read, so nothing could be measured",
            "--max-latency-ms, or a machine whose processor counts its energy (RAPL)",
        )


def cost_name(budgets: Budgets) -> CostName:
    """The cost that the front is drawn over: the first that has a budget, bytes where only the drop has one."""
    if budgets.max_latency_ms is not None:
        return "latency_ms"
    if budgets.max_kb is not None:
        return "bytes"
    if budgets.max_macs is not None:
        return "macs"
    return "energy_mj" if budgets.max_energy_mj is not None else "bytes"


def limits(budgets: Budgets) -> dict[CostName, float]:
    """Every stated limit of a cost, in the units of FileCost."""
    found: dict[CostName, float | None] = {
        "latency_ms": budgets.max_latency_ms,
        "bytes": None if budgets.max_kb is None else 1000 * budgets.max_kb,
        "macs": budgets.max_macs,
        "energy_mj": budgets.max_energy_mj,
    }
    return {name: value for name, value in found.items() if value is not None}


def over_budget(cost: FileCost, budgets: Budgets, *, trained: bool = False) -> dict[str, float]:
    """By what share each broken budget is exceeded, empty where all are kept.

    Before training the search's aims count, a little below the budgets; of a trained file its bytes are exact.
    """
    aims = {"latency_ms": MEASURED_AIM, "energy_mj": MEASURED_AIM, "bytes": 1.0 if trained else BYTES_AIM}
    shares = {
        name: (value_of(cost, name) or 0.0) / (limit * aims.get(name, 1.0)) - 1
        for name, limit in limits(budgets).items()
    }
    return {name: share for name, share in shares.items() if share > 0}


def value_of(cost: FileCost, name: CostName) -> float | None:
    """One cost of a file by its name."""
    return getattr(cost, name)


def score(accuracy: float, size: int, budgets: Budgets, subject_bytes: int) -> float:
    """What the search maximises: accuracy where a cost has a budget.

    With the accepted drop alone a file should be small: halving its bytes is worth as much as that drop, half a point
    where no drop at all is accepted.
    """
    if limits(budgets):
        return accuracy
    return accuracy - max(budgets.max_drop or 0.0, 0.005) * math.log2(size / subject_bytes)
