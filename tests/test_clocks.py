"""The date may jump: nothing is measured, budgeted or ordered by it."""

import ast
import time
from pathlib import Path

import econet
from econet.runs.record import read_record
from econet.runs.records import Finished

SOURCE = Path(econet.__file__).parent
# Where a date is written down or becomes part of a folder's name, and nothing is computed from it.
DATED = {"runs/provenance.py", "jobs/figures.py", "jobs/python.py", "jobs/python_check.py", "cli/folders.py"}


def dates_asked(path: Path) -> list[int]:
    """The lines of a source file that ask for the date or the time of day."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}:
                found.append(node.lineno)
    return found


def test_the_date_is_asked_for_only_where_it_is_written_down():
    asking = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if dates_asked(path)}
    assert asking == DATED


def test_a_clock_that_jumps_by_years_changes_no_weight_and_no_length_of_time(trained, monkeypatch):
    quiet = trained("quiet")
    jumps = iter(range(1, 1_000_000))
    monkeypatch.setattr(time, "time", lambda: 1e9 * (next(jumps) % 3))
    run = trained("run", every=0.0)
    assert run.weights_path.read_bytes() == quiet.weights_path.read_bytes()
    seconds = [line.seconds for line in run.history]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= read_record(run.finished_path, Finished).seconds < 3600
