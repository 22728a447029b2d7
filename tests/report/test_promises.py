"""The page of promises: figures from records alone, and a promise that was not measured says how."""

import re
from pathlib import Path

import pytest

from econet.errors import UserError
from econet.report.promises import PROMISES, markdown
from econet.runs.artifact_records import Machine
from econet.runs.measured_records import Measured

ROOT = Path(__file__).parents[2]
KILLS = {"outcomes": {"killed": 197, "done": 12}, "wrong": {}, "counted": ["killed"], "wanted": 200, "operations": 93}
DAMAGED = {
    "files": 5000,
    "outcomes": {"refused": 4100, "answered": 900},
    "died": {},
    "wrong": {"17": "ValueError"},
    "outside": [],
    "slowest_s": 0.341,
    "peak_memory_mb": 412,
}


def record(name: str, figures: dict) -> Measured:
    machine = Machine(cpu="An x86 processor", cores=2, features=())
    return Measured(
        name=name,
        command=f"measure {name}",
        made="2026-11-22T00:20:00+00:00",
        machine=machine,
        econet="0.1.0",
        git_commit=None,
        figures=figures,
    )


def row(page: str, name: str) -> str:
    promise = next(each for each in PROMISES if each.name == name)
    return next(line for line in page.splitlines() if line.startswith(f"| {promise.said} |"))


def test_a_promise_without_a_record_says_how_to_measure_it_and_claims_nothing():
    page = markdown({})
    assert page.count("not measured yet: `") == len(PROMISES) > 15
    assert "python benchmarks/faults.py sweep" in row(page, "faults-sweep")


def test_a_figure_stands_with_its_n_its_date_its_machine_and_its_command():
    cell = row(markdown({"faults-kills": record("faults-kills", KILLS)}), "faults-kills").split(" | ")[2]
    assert "209 runs, killed at random times (93 operations on the disk a run): " in cell
    assert ": 12 done, 197 killed; **0 went wrong**" in cell
    assert "197 of 200 so far" in cell
    assert "(2026-11-22, An x86 processor, 2 cores; `measure faults-kills`)" in cell


def test_what_went_wrong_is_told_as_openly():
    cell = row(markdown({"strangers-onnx": record("strangers-onnx", DAMAGED)}), "strangers-onnx")
    assert "5,000 files: 900 answered, 4,100 refused; **0 deaths, 1 tracebacks, 0 acts outside the folder**" in cell
    figures = {**KILLS, "wrong": {"random 3": "weights differ"}}
    assert "**1 went wrong**" in row(markdown({"faults-kills": record("faults-kills", figures)}), "faults-kills")


def test_shares_have_their_interval_and_n():
    share = {"value": 0.94, "n": 300, "interval": [0.907, 0.962]}
    page = markdown({"planted-copies": record("planted-copies", {"planted": {"exact": share, "mirrored": share}})})
    assert "exact: 94.0 % (90.7 % to 96.2 %, n = 300); mirrored: 94.0 %" in row(page, "planted-copies")


def test_tests_that_did_not_run_are_counted_apart():
    page = markdown({"proof": record("proof", {"tests": 40, "passed": 38, "skipped": 2})})
    assert "38 of 40 tests passed, 2 not run there" in row(page, "proof")


def test_a_record_of_another_program_is_refused_by_name():
    with pytest.raises(UserError, match=r"benchmarks/results/proof\.json") as caught:
        markdown({"proof": record("proof", KILLS)})
    assert "--tests tests/deployment/proof" in caught.value.remedy


def test_every_row_has_three_cells_and_every_name_is_used_once():
    rows = [line for line in markdown({}).splitlines() if line.startswith("| ")]
    assert {len(re.split(r"(?<!\\)\|", line)) for line in rows} == {5}
    assert len({promise.name for promise in PROMISES}) == len(PROMISES)


def test_the_tests_programs_and_pages_that_are_named_exist():
    for promise in PROMISES:
        for path in re.findall(r"`(tests/[^`]+)`", promise.tests):
            assert (ROOT / path).exists(), path
        for page in re.findall(r"\]\(([^)]+)\)", promise.tests):
            assert (ROOT / "docs" / page).exists(), page
        for path in re.findall(r"(?:benchmarks|tests)/[\w/]+(?:\.py)?", promise.command):
            assert (ROOT / path).exists(), path
