"""`import econet` from a script or a notebook: data, a user's own network, export, prediction, comparison."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import econet
from econet.deployment.parity import ParityBroken
from econet.errors import UserError
from econet.files import sha256_of

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


class Mine(nn.Module):
    """A network as users write them: not of the catalog."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.answer = nn.Linear(channels, 10)

    def forward(self, x):
        return self.answer(torch.relu(self.norm(self.maps(x))).mean((2, 3)))


@pytest.fixture(scope="module")
def pictures(some_pictures):
    return econet.load_data("fashion-mnist", data_dir=some_pictures.data_dir, validation=some_pictures.validation)


@pytest.fixture(scope="module")
def mine(pictures, tmp_path_factory):
    """A run of the user's own network, and the network."""
    network = Mine()
    out = tmp_path_factory.mktemp("mine") / "run"
    return econet.train(pictures, network, epochs=1, out=out, deterministic=True, threads=1), network


def test_data_come_with_splits_classes_and_fingerprint(pictures):
    assert [len(each) for each in (pictures.train, pictures.validation, pictures.test)] == [600, 200, 200]
    assert pictures.classes[0] == "t-shirt"
    assert len(pictures.fingerprint) == 64


def test_a_user_s_own_network_is_trained_exported_and_proven(mine, pictures):
    run, network = mine
    artifact = econet.export(run, module=network, data=pictures)
    assert artifact == run.folder / "model.onnx"
    network.eval()
    pixels = pictures.test.pixels[:32]
    record = pictures.preprocess
    inputs = (pixels.astype(np.float32) - record.offset) * np.float32(record.scale)
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(econet.Predictor(artifact).logits(pixels), expected, atol=1e-4)


def test_a_user_s_own_network_goes_to_int8(mine, pictures, in_haste):
    run, network = mine
    artifact = econet.export(run, int8=True, module=network, data=pictures)
    assert artifact == run.folder / "model.int8.onnx"
    answered = econet.Predictor(artifact)
    assert answered.precision == "int8"
    assert len({logits.tobytes() for logits in answered.logits(pictures.test.pixels)}) > 100


def test_the_weights_of_the_object_handed_over_are_those_of_the_run(mine, pictures):
    run, _ = mine
    (run.folder / "model.onnx").unlink(missing_ok=True)
    again = Mine()
    econet.export(run, module=again, data=pictures)
    trained = load_file(run.weights_path)
    assert all(torch.equal(value, trained[name]) for name, value in again.state_dict().items())


def test_a_network_handed_over_as_an_object_cannot_be_exported_without_it(mine, pictures):
    run, _ = mine
    (run.folder / "model.onnx").unlink(missing_ok=True)
    with pytest.raises(UserError, match="was handed over as a Python object"):
        econet.export(run, data=pictures)


def test_an_object_of_another_shape_does_not_fit_the_run(mine, pictures):
    run, _ = mine
    (run.folder / "model.onnx").unlink(missing_ok=True)
    with pytest.raises(UserError, match="cannot be used"):
        econet.export(run, module=Mine(channels=4), data=pictures)


def test_a_network_whose_export_answers_otherwise_is_not_handed_out(pictures, tmp_path):
    class Trained(nn.Module):
        """Answers one way while torch looks and another in the exported graph."""

        def __init__(self) -> None:
            super().__init__()
            self.answer = nn.Linear(784, 10)

        def forward(self, x):
            found = self.answer(x.flatten(1))
            return found.roll(1, 1) if torch.compiler.is_exporting() else found

    network = Trained()
    run = econet.train(pictures, network, epochs=1, out=tmp_path / "run", deterministic=True, threads=1)
    with pytest.raises(ParityBroken, match="class order"):
        econet.export(run, module=network, data=pictures)
    assert [path.name for path in run.folder.glob("*.onnx")] == ["model.failed.onnx"]


def test_a_catalog_model_is_named_trained_exported_and_predicts_a_file(tmp_path):
    photos = econet.load_data(str(PHOTOS), image_size=24)
    run = econet.train(photos, "econet", epochs=1, out=tmp_path / "run", width=0.25, deterministic=True, threads=1)
    assert run.config.model == "econet"
    assert [line.epoch for line in run.history] == [1]
    artifact = econet.export(run.folder)
    photo = next((PHOTOS / "test" / "hat").glob("*.jpg"))
    predictions = econet.Predictor(artifact).predict(photo)
    assert {each.label for each in predictions} == set(photos.classes)
    assert sum(each.probability for each in predictions) == pytest.approx(1, abs=1e-5)


def test_a_run_goes_on_from_python(pictures, tmp_path):
    out = tmp_path / "run"
    more = {"out": out, "epochs": 1, "width": 0.25, "deterministic": True, "threads": 1}
    run = econet.train(pictures, "econet", **more)
    before = sha256_of(run.weights_path)
    with pytest.raises(UserError, match="holds a run already"):
        econet.train(pictures, "econet", **more)
    econet.train(pictures, "econet", resume=True, **more)
    assert sha256_of(run.weights_path) == before


def test_a_teacher_and_a_start_are_given_as_runs(pictures, tmp_path):
    usual = {"epochs": 1, "deterministic": True, "threads": 1}
    teacher = econet.train(pictures, "econet", out=tmp_path / "teacher", width=0.5, **usual)
    student = econet.train(pictures, "econet", out=tmp_path / "student", width=0.25, teacher=teacher, **usual)
    assert student.config.training.teacher.weights_sha256 == sha256_of(teacher.weights_path)
    further = econet.train(pictures, "econet", out=tmp_path / "further", width=0.25, start=student.folder, **usual)
    assert further.config.training.from_weights_sha256 == sha256_of(student.weights_path)


def test_a_comparison_shows_itself(compared, some_pictures, in_haste, tmp_path):
    comparison = econet.compare(
        "fashion-mnist",
        baseline="econet",
        width=0.25,
        teacher="none",
        epochs=1,
        out=tmp_path / "c",
        data_dir=some_pictures.data_dir,
        validation=some_pictures.validation,
        deterministic=True,
        threads=1,
    )
    assert comparison.verdict == comparison.record.verdict
    assert comparison.page.is_file()
    table = comparison.table()
    assert [row["side"] for row in table] == ["baseline fp32", "baseline int8", "candidate fp32", "candidate int8"]
    html = comparison._repr_html_()
    assert html.count("<tr>") == 5
    assert str(comparison) in html


def test_lengths_are_words_of_the_terminal_and_both_at_once_are_refused(pictures, tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        econet.train(pictures, time="soon", out=tmp_path / "a")
    with pytest.raises(UserError, match="--epochs and --time were both given"):
        econet.train(pictures, time="5m", epochs=2, out=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
