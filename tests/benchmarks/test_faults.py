"""`benchmarks/faults.py` and `keep.py`: what they count, that they go on where they stood, and hide nothing."""

import importlib
import itertools
import json
from pathlib import Path

import pytest

from econet.runs.measured_records import Measured
from econet.runs.record import read_record

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def program(monkeypatch):
    """A program of benchmarks/ by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def kills(program, monkeypatch):
    """The program with kills that are told instead of done, and the numbers that were tried."""
    bench, numbers = program("faults"), []

    def kill(number: int) -> str:
        numbers.append(number)
        assert number != 4, "weights differ"
        return "done" if number % 3 == 1 else "killed"

    def part_of(name, every, wanted, folder, stack):
        tries = ((str(number), lambda number=number: kill(number)) for number in itertools.count())
        return bench.Part(tries, wanted, ("killed",), {"operations": 93})

    monkeypatch.setattr(bench, "part_of", part_of)
    return bench, numbers


def counted(path: Path) -> Measured:
    return read_record(path / "faults-kills.json", Measured)


def test_a_part_goes_on_where_its_record_stands_and_counts_kills_that_landed(kills, tmp_path, capsys):
    bench, numbers = kills
    assert bench.main(["kills", "--count", "2", "--results", str(tmp_path)]) == 0
    assert numbers == [0, 1, 2]
    assert counted(tmp_path).figures["outcomes"] == {"killed": 2, "done": 1}
    assert bench.main(["kills", "--count", "3", "--results", str(tmp_path)]) == 0
    assert numbers == [0, 1, 2, 3]
    assert bench.main(["kills", "--count", "3", "--results", str(tmp_path)]) == 0
    assert numbers == [0, 1, 2, 3]
    assert json.loads(capsys.readouterr().out.split("\n]\n")[0] + "]")[0]["figures"]["operations"] == 93


def test_a_try_that_goes_wrong_is_kept_and_told_by_the_exit_code(kills, tmp_path):
    bench, numbers = kills
    assert bench.main(["kills", "--count", "5", "--results", str(tmp_path)]) == 1
    assert numbers == [0, 1, 2, 3, 4, 5]
    assert "weights differ" in counted(tmp_path).figures["wrong"]["4"]


def test_figures_of_another_version_are_not_added_to(kills, tmp_path, monkeypatch, capsys):
    bench, numbers = kills
    bench.main(["kills", "--count", "1", "--results", str(tmp_path)])
    monkeypatch.setattr(bench.provenance, "git_commit", lambda: "another")
    bench.main(["kills", "--count", "1", "--results", str(tmp_path)])
    assert numbers == [0, 0]
    assert "begun anew" in capsys.readouterr().err


def test_what_a_program_found_is_kept_with_date_and_machine(program, tmp_path):
    keep = program("keep")
    share = {"value": 1.0, "n": 300, "interval": [0.987, 1.0]}
    found = {"command": "python x", "planted": {"exact": share}}
    (tmp_path / "found.json").write_text(json.dumps(found))
    assert keep.main(["planted-copies", str(tmp_path / "found.json"), "--results", str(tmp_path)]) == 0
    record = read_record(tmp_path / "planted-copies.json", Measured)
    assert record.figures == {"planted": {"exact": share}}
    assert record.command.startswith("python benchmarks/check_figures.py planted")
    assert record.machine.cores >= 1


def test_tests_are_counted_and_a_failed_one_leaves_no_record(program, tmp_path):
    keep = program("keep")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    tests = tmp_path / "test_made.py"
    tests.write_text(
        "import pytest\ndef test_one(): pass\n@pytest.mark.slow\ndef test_two(): pass\n"
        "def test_three(): pytest.skip()\n"
    )
    assert keep.main(["proof", "--tests", str(tests), "--results", str(tmp_path)]) == 0
    assert read_record(tmp_path / "proof.json", Measured).figures == {"tests": 3, "passed": 2, "skipped": 1}
    tests.write_text("def test_one(): assert False\n")
    with pytest.raises(SystemExit) as caught:
        keep.main(["archives", "--tests", str(tests), "--results", str(tmp_path)])
    assert caught.value.code == 1
    assert not (tmp_path / "archives.json").exists()


def test_a_name_nobody_promised_gets_the_nearest_one(program, tmp_path, capsys):
    with pytest.raises(SystemExit):
        program("keep").main(["profs", "x.json", "--results", str(tmp_path)])
    assert "did you mean proof" in capsys.readouterr().err
