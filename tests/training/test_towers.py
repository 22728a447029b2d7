"""Two columns in two processes learn as the whole network does in one, and send no byte more than they must."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from loopback import launch
from safetensors.numpy import load_file

from econet.errors import UserError
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.runs.folder import Run
from econet.training.progress import Silent
from econet.training.weights import trained_network

PROGRAM = Path(__file__).with_name("towers_training.py")
REAL = os.environ.get("ECONET_DATA")
CASES = ("mini", "code", "apart", "modern")
IN_FLOAT32 = ("code", "full")
# That of 2012, and one that shortens long gradients, which takes both columns to know.
OPTIMIZERS = ("sgd-2012", "sgd")
# Floats that leave a column and come back as gradients, for one image, counted on paper: what each crossing layer
# reads, and half of what the classifier does.
FLOATS = {
    # conv2 gives 16 maps, 8 x 8 behind the pooling, conv5 16 of 4 x 4; f6 and f7 have 64.
    "mini": 16 * 8 * 8 + 16 * 4 * 4 + 64 + 64 // 2,
    # 64 pixels: conv1 gives 15 x 15 windows, 7 x 7 pooled, 3 x 3 behind conv2, 1 x 1 behind conv5; f6 and f7 have 208.
    "code": 16 * 3 * 3 + 16 + 208 + 208 // 2,
    # The columns meet in the classifier alone.
    "apart": 64 // 2,
    # conv3, conv6 and the classifier behind a global mean.
    "modern": 16 * 8 * 8 + 16 * 4 * 4 + 16 // 2,
    "full": 58_624,
}


@pytest.fixture(
    scope="module",
    params=[
        "fashion-mnist",
        pytest.param("cifar10", marks=pytest.mark.skipif(not REAL, reason="needs $ECONET_DATA with CIFAR-10")),
    ],
)
def both(request, clothes_folder, tmp_path_factory) -> tuple[Path, Path]:
    """What one process wrote, and what two did: every case, and a run of 50 steps with each optimizer."""
    place = clothes_folder if request.param == "fashion-mnist" else Path(str(REAL))
    return pair(tmp_path_factory, request.param, place, ",".join(CASES), ",".join(OPTIMIZERS))


def pair(tmp_path_factory, data: str, place: Path, cases: str, optimizers: str) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for processes, folder in enumerate(folders, 1):
        done = launch(PROGRAM, data, place, folder, cases, optimizers, 0, processes=processes)
        assert done.returncode == 0, done.stderr
    return folders


def found(folders: tuple[Path, Path], case: str) -> tuple[dict, dict, dict]:
    """What the whole network, column a and column b wrote of a case."""
    one, two = folders
    return tuple(load_file(path) for path in (one / f"{case}-0.safetensors", *sorted(two.glob(f"{case}-*"))))


def assert_close(ours: np.ndarray, theirs: np.ndarray, name: str, slack: float = 0.0) -> None:
    tolerance = 1e-5 if theirs.dtype == np.float32 else 1e-11
    assert ours.shape == theirs.shape, name
    assert np.linalg.norm(ours - theirs) <= tolerance * np.linalg.norm(theirs) + slack, name


def assert_joined(folders: tuple[Path, Path], case: str, kind: str) -> None:
    """The columns' tensors of a kind, one below the other, are the whole network's."""
    whole, first, second = found(folders, case)
    names = [name for name in whole if name.startswith(kind)]
    assert names
    # Biases that began at 0 are a few tiny steps: they agree as the weights do, not in the share of themselves.
    slack = 1e-7 if kind == "weight." and case in IN_FLOAT32 else 0.0
    for name in names:
        if name.endswith((".mean", ".num_batches_tracked")):
            assert np.array_equal(first[name], whole[name])
            assert np.array_equal(second[name], whole[name])
        else:
            assert_close(np.concatenate([first[name], second[name]]), whole[name], f"{case} {name}", slack)


@pytest.mark.parametrize("case", CASES)
def test_two_columns_answer_as_the_whole_network(both, case):
    whole, first, second = found(both, case)
    assert np.abs(whole["logits"]).max() > 0
    assert_close(first["logits"], whole["logits"], "training, dropout drawn by column")
    assert_close(first["answers"], whole["answers"], "evaluation, after three updates")
    assert not second["logits"].any()


@pytest.mark.parametrize("case", CASES)
def test_every_weight_gets_the_gradient_it_has_in_the_whole_network(both, case):
    assert_joined(both, case, "gradient.")


@pytest.mark.parametrize("case", CASES)
def test_three_updates_leave_the_same_weights_and_losses(both, case):
    assert_joined(both, case, "weight.")
    whole, *columns = found(both, case)
    for update in range(3):
        name = f"loss.{update}"
        for column in columns:
            assert column[name] == pytest.approx(whole[name], rel=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_each_byte_between_the_columns_is_counted_and_none_is_needless(both, case):
    _, *columns = found(both, case)
    images = len(columns[0]["logits"])
    assert sum(column["sent"][0] for column in columns) == images * 2 * FLOATS[case] * (4 if case in IN_FLOAT32 else 8)
    for column in columns:
        counted, posted = column["sent"]
        assert counted == posted


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_give_the_same_losses(both, optimizer):
    one, two = both
    whole = load_file(one / f"{optimizer}-0")["losses"]
    assert len(set(whole.tolist())) == 50
    for rank in (0, 1):
        assert load_file(two / f"{optimizer}-{rank}")["losses"] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_in_two_processes_ends_as_one_network_that_everything_else_can_read(both, optimizer):
    one, two = (Run(folder / optimizer) for folder in both)
    assert (one.config.machine.processes, two.config.machine.processes) == (1, 2)
    assert two.config.architecture == one.config.architecture
    assert sorted(path.name for path in two.folder.iterdir()) == sorted(path.name for path in one.folder.iterdir())
    ours, theirs = (load_file(run.weights_path) for run in (one, two))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert_close(value, ours[name], name)
    trained_network(two)  # every key and shape is checked
    for mine, other in zip(one.history, two.history, strict=True):
        assert other.validation_loss == pytest.approx(mine.validation_loss, rel=1e-6)
        assert other.validation_accuracy == mine.validation_accuracy


@pytest.mark.slow
def test_the_published_network_crosses_468_992_bytes_an_image(clothes_folder, tmp_path_factory):
    folders = pair(tmp_path_factory, "fashion-mnist", clothes_folder, "full", "")
    _, *columns = found(folders, "full")
    assert sum(column["sent"][0] for column in columns) == 2 * 468_992
    for kind in ("gradient.", "weight."):
        assert_joined(folders, "full", kind)


@pytest.mark.slow
def test_a_signal_to_one_column_stops_both_and_the_resume_ends_with_the_same_bits(clothes_folder, tmp_path):
    def start(name: str, stop_at: int):
        (tmp_path / name).mkdir(exist_ok=True)
        words = ("fashion-mnist", clothes_folder, tmp_path / name, "", "sgd-2012", stop_at)
        return launch(PROGRAM, *words, processes=2)

    plain = start("plain", 0)
    assert plain.returncode == 0, plain.stderr
    stopped = start("stopped", 17)
    assert {"process 0 stopped by 15", "process 1 stopped by 15"} <= set(stopped.stdout.splitlines()), stopped.stderr
    resumed = start("stopped", 0)
    assert resumed.returncode == 0, resumed.stderr
    weights = [Run(tmp_path / name / "sgd-2012").weights_path.read_bytes() for name in ("plain", "stopped")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("processes", "asked", "text"),
    [
        (3, {}, "3 processes cannot train alexnet_towers"),
        (2, {"optimizer": "muon"}, "muon cannot train alexnet_towers in two processes"),
        (2, {"time_s": 60.0, "epochs": None}, "cannot train by --time"),
        (2, {"switches": {"lrn_extent": "layer"}}, "alexnet:mini cannot stand on two devices"),
        (1, {"switches": {"lrn_extent": "layer"}}, "alexnet:mini cannot stand on two devices"),
        (1, {"switches": {"columns": 1}}, "alexnet:mini cannot stand on two devices"),
    ],
)
def test_what_two_columns_cannot_do_is_refused(clothes_data, tmp_path, monkeypatch, processes, asked, text):
    monkeypatch.setattr("econet.training.parallel.processes", lambda: processes)
    monkeypatch.setattr("econet.training.parallel.join", lambda device: None)
    options = {"model": "alexnet_towers:mini", "width": 0.125, "epochs": 1, "batch_size": 24, **asked}
    with pytest.raises(UserError, match=text):
        train(tmp_path, clothes_data, TrainOptions(**options), Silent())
    assert not Run(tmp_path).exists


def test_an_unfinished_run_in_two_processes_is_not_resumed_by_one(both, clothes_data, tmp_path):
    run = Run(shutil.copytree(both[1] / "sgd", tmp_path / "copy"))
    run.finished_path.unlink()
    with pytest.raises(UserError, match="was begun in 2 processes"):
        train(run.folder, clothes_data, TrainOptions(), Silent(), resume=True)
