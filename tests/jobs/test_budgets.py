"""Budgets: what contradicts itself is refused, and what a file costs is held against them."""

import math

import pytest

from econet.errors import UserError
from econet.jobs import budgets as room
from econet.jobs.budgets import check_budgets, cost_name, over_budget, score
from econet.jobs.options import DataOptions
from econet.jobs.shrink_options import ShrinkOptions, check_shrink_options
from econet.runs.shrink_records import Budgets, FileCost

COST = FileCost(precision="int8", bytes=30_000, macs=1_000_000, parameters=20_000, latency_ms=0.45, energy_mj=None)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({}, "no budget was stated"),
        ({"max_kb": 0}, "--max-kb 0 is no budget"),
        ({"max_kb": -3.0}, "--max-kb -3 is no budget"),
        ({"max_latency_ms": math.nan}, "--max-latency-ms nan is no budget"),
        ({"max_macs": -1, "max_kb": 20}, "--max-macs -1 is no budget"),
        ({"max_drop": 1.0}, "--max-drop 1 is out of range"),
        ({"max_drop": -0.01}, "--max-drop -0.01 is out of range"),
    ],
)
def test_budgets_that_no_file_can_keep_are_refused(stated, said):
    with pytest.raises(UserError) as raised:
        check_budgets(Budgets(**stated))
    assert said in raised.value.what


def test_energy_is_a_budget_only_where_a_counter_can_be_read(monkeypatch):
    monkeypatch.setattr(room, "measure_energy_mj", lambda run, seconds: None)
    with pytest.raises(UserError, match="no energy counter"):
        check_budgets(Budgets(max_energy_mj=1.0))
    monkeypatch.setattr(room, "measure_energy_mj", lambda run, seconds: 0.2)
    check_budgets(Budgets(max_energy_mj=1.0))


def test_the_search_aims_below_a_measured_budget_and_at_a_counted_one():
    assert over_budget(COST, Budgets(max_latency_ms=0.5, max_macs=1_000_000)) == {}
    # 0.45 ms against nine tenths of 0.45 ms; 30 KB against 99.5 % of 25 KB.
    over = over_budget(COST, Budgets(max_latency_ms=0.45, max_kb=25.0))
    assert over == pytest.approx({"latency_ms": 1 / 9, "bytes": 30 / (25 * 0.995) - 1})
    assert over_budget(COST, Budgets(max_kb=30.0)) != {}
    assert over_budget(COST, Budgets(max_kb=30.0), trained=True) == {}


def test_the_front_is_drawn_over_the_first_cost_that_has_a_budget():
    assert cost_name(Budgets(max_kb=3, max_latency_ms=2)) == "latency_ms"
    assert cost_name(Budgets(max_macs=3)) == "macs"
    assert cost_name(Budgets(max_drop=0.01)) == "bytes"


def test_with_a_drop_alone_halving_the_file_is_worth_that_drop():
    drop = Budgets(max_drop=0.02)
    assert score(0.90, 50_000, drop, 100_000) == pytest.approx(0.92)
    assert score(0.90, 25_000, drop, 100_000) == pytest.approx(0.94)
    assert score(0.90, 25_000, Budgets(max_kb=30, max_drop=0.02), 100_000) == 0.90


def test_a_search_needs_one_thing_to_shrink_and_a_length(tmp_path):
    drop = Budgets(max_drop=0.02)
    with pytest.raises(UserError, match="what is to be shrunk"):
        check_shrink_options(ShrinkOptions(budgets=drop, epochs=1))
    with pytest.raises(UserError, match="what is to be shrunk"):
        check_shrink_options(ShrinkOptions(run=tmp_path, data=DataOptions("cifar10"), budgets=drop, epochs=1))
    with pytest.raises(UserError, match="how long"):
        check_shrink_options(ShrinkOptions(run=tmp_path, budgets=drop))
    with pytest.raises(UserError, match="--trials 0"):
        check_shrink_options(ShrinkOptions(run=tmp_path, budgets=drop, epochs=1, trials=0))
    with pytest.raises(UserError, match="is not a run"):
        check_shrink_options(ShrinkOptions(run=tmp_path, budgets=drop, epochs=1, teacher="nobody"))
