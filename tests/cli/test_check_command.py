"""`econet check` in the terminal: exit codes, JSON, and what it says next."""

import json
import shutil
from pathlib import Path

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


def test_healthy_data_exit_with_0_and_the_next_command(econet, tmp_path):
    done = econet("check", PHOTOS, "--quick", "--out", tmp_path / "out")
    assert done.code == 0
    assert "Nothing was found that would mislead." in done.out
    assert "a loss of 22.29 points at best" in done.out
    assert f"next: econet compare {PHOTOS}" in done.err
    assert (tmp_path / "out" / "page.html").exists()


def test_a_leak_exits_with_1_and_json_names_it(econet, tmp_path):
    photos = shutil.copytree(PHOTOS, tmp_path / "photos")
    shutil.copy(sorted((photos / "train" / "hat").iterdir())[0], photos / "test" / "hat" / "again.jpg")
    done = econet("check", photos, "--quick", "--json", "--out", tmp_path / "out")
    assert done.code == 1
    record = json.loads(done.out)
    assert "pixel for pixel" in record["void"][0]
    assert record["findings"][0]["picture"]["path"] == "test/hat/again.jpg"
    assert record["page"] == str(tmp_path / "out" / "page.html")


def test_a_missing_class_exits_with_1(econet, tmp_path):
    photos = shutil.copytree(PHOTOS, tmp_path / "photos")
    shutil.rmtree(photos / "test" / "hat")
    done = econet("check", photos, "--out", tmp_path / "out")
    assert done.code == 1
    assert "Class 'hat' has no picture in test." in done.out


def test_the_rule_of_the_exit_code_stands_in_the_help(econet):
    said = " ".join(econet("check", "--help").out.split())
    assert "Exit code 1 where a comparison would be void" in said
    assert "more than 5 %" in said


def test_data_that_are_not_there_are_a_user_s_error(econet, tmp_path):
    done = econet("check", "fashoin-mnist", "--quick", "--out", tmp_path / "out")
    assert done.code == 2
    assert "did you mean fashion-mnist?" in done.err


def test_the_quick_part_needs_no_torch(in_a_fresh_process, tmp_path):
    code = (
        "import sys; from econet.cli.main import main; "
        "code = main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = in_a_fresh_process(code, "check", str(PHOTOS), "--quick", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
