"""The learning rate of every step is known before training begins."""

import math

import pytest

from econet.training.schedules import Plateau, factor

STEPS = 99  # step s is at (s + 1) / 100 of the way


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("one-cycle", {0: 0.05, 9: 0.5, 19: 1.0, 59: 0.5, 98: 0.0125}),
        ("cosine", {0: 0.2, 4: 1.0, 98: (1 + math.cos(math.pi * 0.94 / 0.95)) / 2}),
        ("steps", {0: 1.0, 48: 1.0, 49: 0.1, 73: 0.1, 74: 0.01, 88: 0.01, 89: 0.001, 98: 0.001}),
        ("plateau", {0: 1.0, 98: 1.0}),
    ],
)
def test_the_factor_at_the_start_the_peak_and_the_end(schedule, expected):
    assert {step: factor(schedule, step, STEPS) for step in expected} == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "steps", "plateau"])
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_every_factor_moves_the_weights_and_none_exceeds_the_peak(schedule, steps):
    assert all(0 < factor(schedule, step, steps) <= 1 for step in range(steps))


def test_a_plateau_lowers_the_rate_after_three_epochs_without_a_new_best():
    plateau = Plateau()
    seen = []
    for accuracy in (0.5, 0.4, 0.5, 0.3, 0.6, 0.6, 0.6, 0.6):
        plateau.see(accuracy)
        seen.append(plateau.lowerings)
    assert seen == [0, 0, 0, 1, 1, 1, 1, 2]
    assert factor("plateau", 5, STEPS, plateau.lowerings) == pytest.approx(0.01)


def test_a_plateau_lowers_the_rate_three_times_at_most():
    plateau = Plateau()
    for _ in range(50):
        plateau.see(0.1)
    assert plateau.lowerings == 3


def test_the_marks_of_the_original_schedule_are_its_epochs_to_the_step():
    """Net 145: a tenth of the rate from epochs 25, 51 and 79 on, of 91."""
    per_epoch = 11
    marks = tuple(epoch / 91 for epoch in (25, 51, 79))
    rates = [0.01 * factor("steps", step, 91 * per_epoch, marks=marks) for step in range(91 * per_epoch)]
    by_epoch = [sorted(set(rates[start : start + per_epoch])) for start in range(0, len(rates), per_epoch)]
    assert all(len(inside) == 1 for inside in by_epoch)
    expected = [0.01] * 25 + [1e-3] * 26 + [1e-4] * 28 + [1e-5] * 12
    assert [inside[0] for inside in by_epoch] == pytest.approx(expected)


def test_no_marks_leave_the_rate_alone():
    assert {factor("steps", step, STEPS, marks=()) for step in range(STEPS)} == {1.0}
