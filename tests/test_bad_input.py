"""What a person can put right is said as such: exit 2, what, why and what to try, and nothing half-written."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from econet.cli.main import main
from econet.files import folder_lock

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parent / "fixtures" / "clothing"
IDX_FILES = [f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
NUMBERS = [
    ("--width", "-1", "1000", "nan"),
    ("--epochs", "0", "-3", "1000000000"),
    ("--batch-size", "0", "-5", "1000000000"),
    ("--lr", "-0.1", "0", "nan", "inf", "1e9"),
    ("--threads", "0", "-2", "100000"),
    ("--seed", "-1", "99999999999"),
    ("--validation", "0", "-0.1", "0.9", "nan"),
    ("--image-size", "0", "-8", "3", "100000"),
    ("--time", "0s", "-5m", "5", "soon", "1000000h"),
]
OF_TRAIN = [
    ("--weight-decay", "-1", "7"),
    ("--label-smoothing", "-0.1", "1", "nan"),
    ("--ema", "-1", "1", "2"),
    ("--patience", "0", "-1"),
    ("--temperature", "0", "-3", "1e9"),
    ("--teacher-weight", "-0.5", "1.5"),
]
OF_COMPARE = [("--margin", "0", "-0.01", "2", "nan"), ("--seeds", "0", "-1", "1000")]


def pairs(*tables):
    return [(option, value) for table in tables for option, *values in table for value in values]


@pytest.fixture
def refused(capsys):
    """Calls `econet`; the words must be refused as a user's error. Returns what was said."""

    def call(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert code == 2, said.err
        assert said.out == ""
        lines = [line for line in said.err.splitlines() if line.startswith(("error: ", "  why: ", "  try: "))]
        assert [line.split(":")[0].strip() for line in lines] == ["error", "why", "try"]
        assert all(len(line) > 12 for line in lines)
        assert "Traceback" not in said.err
        return said.err

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def is_clean(folder):
    """Nothing lies there but perhaps the lock of a writer that left."""
    return not folder.exists() or {path.name for path in folder.rglob("*") if path.is_file()} <= {".lock"}


@pytest.mark.parametrize("command", ["train", "compare"])
def test_unknown_data_bring_the_nearest_name(refused, out, command):
    said = refused(command, "fashoin-mnist", "--out", out, "--epochs", "1")
    assert "error: unknown data 'fashoin-mnist'" in said
    assert "did you mean fashion-mnist?" in said
    assert is_clean(out)


@pytest.mark.parametrize(
    "words", [("train", "--model", "econte"), ("compare", "--candidate", "econte"), ("compare", "--teacher", "econte")]
)
def test_an_unknown_model_brings_the_nearest_name(refused, out, words, some_pictures):
    command, *options = words
    said = refused(
        command, "fashion-mnist", *options, "--data-dir", some_pictures.data_dir, "--epochs", "1", "--out", out
    )
    assert "error: unknown model 'econte'" in said
    assert "did you mean econet" in said
    assert is_clean(out)


@pytest.mark.parametrize(("option", "value"), pairs(NUMBERS, OF_TRAIN))
def test_train_refuses_an_absurd_number_and_names_the_option(refused, out, option, value, some_pictures):
    length = [] if option in ("--time", "--epochs") else ["--epochs", "1"]
    where = ["--data-dir", some_pictures.data_dir, "--out", out]
    said = refused("train", "fashion-mnist", f"{option}={value}", *length, *where)
    assert option in said or option.strip("-").replace("-", " ") in said
    assert is_clean(out)


@pytest.mark.parametrize(("option", "value"), pairs(NUMBERS, OF_COMPARE))
def test_compare_refuses_an_absurd_number_and_names_the_option(refused, out, option, value, some_pictures):
    length = [] if option in ("--time", "--epochs") else ["--epochs", "1"]
    where = ["--data-dir", some_pictures.data_dir, "--out", out]
    said = refused("compare", "fashion-mnist", f"{option}={value}", *length, *where)
    assert option in said or option.strip("-").replace("-", " ") in said
    assert is_clean(out)


def test_a_word_in_a_number_s_place_is_a_slip_too(refused, out):
    assert "--epochs" in refused("train", "fashion-mnist", "--epochs", "many", "--out", out)
    assert "--optimizer" in refused("train", "fashion-mnist", "--optimzer", "sgd", "--out", out)
    assert "did you mean cosine" in refused("train", "fashion-mnist", "--schedule", "cosin", "--out", out)
    assert is_clean(out)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_time_too_short_is_told_with_one_that_would_do_and_can_be_tried_again(refused, out, command):
    said = refused(command, "fashion-mnist", "--time", "1s", "--threads", "1", "--out", out)
    assert "is too short" in said
    assert "54000 training images takes about" in said
    assert "try: --time " in said
    assert is_clean(out)


@pytest.mark.parametrize("name", IDX_FILES)
@pytest.mark.parametrize("harm", ["cut", "not gzip", "wrong magic", "fewer values"])
def test_a_damaged_idx_file_is_named_with_what_is_wrong(refused, out, tmp_path, some_pictures, name, harm):
    folder = tmp_path / "data"
    shutil.copytree(some_pictures.data_dir, folder)
    path = folder / name
    whole = path.read_bytes()
    plain = gzip.decompress(whole)
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "not gzip": b"<html>504 Gateway Timeout</html>",
            "wrong magic": gzip.compress(b"\x89PNG" + plain[4:]),
            "fewer values": gzip.compress(plain[:-7]),
        }[harm]
    )
    said = refused("train", "fashion-mnist", "--data-dir", folder, "--epochs", "1", "--out", out)
    assert f"cannot use {path}" in said
    assert is_clean(out)


def test_a_missing_idx_file_is_named(refused, out, tmp_path, some_pictures):
    shutil.copytree(some_pictures.data_dir, tmp_path / "data")
    (tmp_path / "data" / IDX_FILES[1]).unlink()
    assert IDX_FILES[1] in refused("compare", "fashion-mnist", "--data-dir", tmp_path / "data", "--out", out)
    assert is_clean(out)


def test_a_run_of_other_data_is_not_gone_on_with(refused, compared, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(compared.folder / "candidate", folder)
    (folder / "finished.json").unlink()
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir() if path.name != ".lock")
    said = refused("train", PHOTOS, "--resume", "--out", folder, "--epochs", "4")
    assert "it was trained on fashion-mnist, not on clothing" in said
    said = refused("train", "fashion-mnist", "--resume", "--out", folder, "--epochs", "4")
    assert "the data, their split (--validation, --seed) or their size (--image-size) changed" in said
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir() if path.name != ".lock")


def test_a_comparison_of_other_data_is_not_gone_on_with(refused, compared):
    before = (compared.folder / "comparison.json").read_bytes()
    said = refused("compare", PHOTOS, "--resume", "--out", compared.folder, "--epochs", "1")
    assert "belongs to other data" in said
    assert (compared.folder / "comparison.json").read_bytes() == before


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_folder_one_may_not_write_in_is_told_before_training(refused, tmp_path, monkeypatch, command, some_pictures):
    def denied(path, content):
        raise PermissionError(13, "Permission denied", str(path))

    home = tmp_path / "locked"
    home.mkdir()
    monkeypatch.setattr(Path, "write_bytes", denied)  # a test that runs as root is denied nothing by the system
    said = refused(
        command, "fashion-mnist", "--data-dir", some_pictures.data_dir, "--epochs", "1", "--out", home / "run"
    )
    assert f"cannot write {home / 'run'}" in said
    assert "Permission denied" in said
    assert is_clean(home)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_the_system_s_own_refusal_is_told(refused, tmp_path, some_pictures):
    tmp_path.chmod(0o500)
    where = ["--data-dir", some_pictures.data_dir, "--out", tmp_path / "run"]
    assert "Permission denied" in refused("train", "fashion-mnist", "--epochs", "1", *where)


def test_a_file_where_a_folder_should_be_is_told(refused, tmp_path, some_pictures):
    (tmp_path / "taken").write_text("mine")
    where = ["--data-dir", some_pictures.data_dir, "--out", tmp_path / "taken" / "run"]
    assert "cannot write" in refused("train", "fashion-mnist", "--epochs", "1", *where)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_class_missing_from_one_split_is_named_with_the_split(refused, out, tmp_path, split):
    folder = tmp_path / "photos"
    shutil.copytree(PHOTOS, folder)
    shutil.rmtree(folder / split / "hat")
    said = refused("compare", folder, "--epochs", "1", "--out", out)
    assert f"class 'hat' is missing from {split}" in said
    assert is_clean(out)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_second_writer_is_refused_and_the_first_one_named(refused, out, command, some_pictures):
    with folder_lock(out):
        said = refused(command, "fashion-mnist", "--data-dir", some_pictures.data_dir, "--epochs", "1", "--out", out)
    assert f"another process is writing in {out}" in said
    assert f'"pid": {os.getpid()}' in said
    assert is_clean(out)


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x08\x08\x12\x05other"])
@pytest.mark.parametrize("command", ["predict", "evaluate", "benchmark", "compare"])
def test_a_file_that_is_no_onnx_is_named(refused, out, tmp_path, command, content, some_pictures):
    file = tmp_path / "network.onnx"
    file.write_bytes(content)
    data = ["--data-dir", some_pictures.data_dir]
    words = {
        "predict": ["predict", file, next(PHOTOS.glob("test/hat/*.jpg"))],
        "evaluate": ["evaluate", file, "--data", "fashion-mnist", *data],
        "benchmark": ["benchmark", file],
        "compare": ["compare", "fashion-mnist", "--candidate", file, "--epochs", "1", "--out", out, *data],
    }[command]
    assert "network.onnx" in refused(*words)
    assert [path.name for path in tmp_path.iterdir() if path != out] == ["network.onnx"]
    assert is_clean(out)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "config.json is damaged"),
        (lambda text: text.replace('"seed": 0', '"seed": "none"'), "Expected `int`, got `str` - at `$.seed`"),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), "is newer than this EcoNet"),
        (lambda text: text.replace('"model"', '"modell"'), "unknown field `modell`"),
    ],
)
def test_a_damaged_config_is_named_with_field_and_value(refused, compared, tmp_path, damage, words):
    folder = tmp_path / "run"
    shutil.copytree(compared.folder / "candidate", folder)
    path = folder / "config.json"
    path.write_text(damage(path.read_text()))
    said = refused("export", folder)
    assert words in said
    assert str(path) in said


def test_names_that_are_no_run_are_told_apart(refused, tmp_path):
    assert "there is no such folder" in refused("export", tmp_path / "gone")
    assert "it has no config.json" in refused("export", tmp_path)
    assert "does not exist" in refused("evaluate", tmp_path / "gone.onnx", "--data", "fashion-mnist")
    assert "is out of range" in refused("export", tmp_path, "--parity-drop", "nan")


def test_a_picture_that_is_none_is_named(refused, compared, tmp_path):
    fake = tmp_path / "photo.jpg"
    fake.write_bytes(b"not a picture")
    assert str(fake) in refused("predict", compared.folder / "candidate", fake)
    assert "--top" in refused("predict", compared.folder / "candidate", fake, "--top", "0")


def test_the_same_holds_in_a_process_of_its_own(tmp_path):
    words = [sys.executable, "-m", "econet", "train", "fashoin-mnist", "--out", str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: unknown data 'fashoin-mnist'" in done.stderr
    assert not (tmp_path / "run").exists()
