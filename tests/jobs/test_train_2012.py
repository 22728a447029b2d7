"""Training as in 2012, from photographs to a proven file: crops, colour noise, mean image, the old update rule."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from econet.data.load import load_data
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export_run
from econet.runs.choices import ColourNoise
from econet.training.interruption import Interrupted
from econet.training.progress import Silent

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
NOISE = ColourNoise(reading="std", divisor=1.1, until=0.7)
# Six steps each: 35 photographs, batches of 16.
SHORT = {"epochs": 3, "batch_size": 16, "augment": "light", "colour_noise": NOISE, "crop_chunk": 8}
CIFAR_NET = {
    **SHORT,
    "model": "cuda_convnet:18pct",
    "bias_lr": 0.002,
    "schedule": "steps",
    "schedule_marks": (0.5,),
}
MINI = {**SHORT, "model": "alexnet:mini", "width": 0.125, "optimizer": "sgd-2012", "lr": 0.001}
# The published network at a twentieth of its width, one step.
NARROW = {"epochs": 1, "batch_size": 32, "width": 0.05, "lr": 1e-5}


@pytest.fixture(scope="module")
def photos():
    """35 real training photographs kept at 32 pixels, for crops of 24."""
    return load_data(str(PHOTOS), image_size=24, crop_from=32)


@pytest.fixture(scope="module")
def large_photos():
    return load_data(str(PHOTOS), image_size=64)


class Crash(Exception):
    """The process would have died here."""


def stopping_at(step: int):
    return lambda done: signal.raise_signal(signal.SIGTERM) if done == step else None


def crash(step: int) -> None:
    raise Crash


@pytest.mark.parametrize("asked", [CIFAR_NET, MINI], ids=lambda asked: asked["model"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(trained, teller, photos, asked):
    """Velocity, mean image, crops, colours and dropout included; once in an epoch's middle, once behind it."""
    plain = trained("plain", data=photos, **asked)
    for step in (3, 4):
        with pytest.raises(Interrupted):
            trained("run", teller(stopping_at(step)), data=photos, resume=True, **asked)
    run = trained("run", data=photos, resume=True, **asked)
    assert run.weights_path.read_bytes() == plain.weights_path.read_bytes()
    assert trained("other", data=photos, **asked, seed=1).weights_path.read_bytes() != plain.weights_path.read_bytes()


def test_a_run_that_died_before_its_first_checkpoint_takes_its_mean_image_again(trained, teller, photos):
    plain = trained("plain", data=photos, **CIFAR_NET)
    with pytest.raises(Crash):
        trained("run", teller(crash), data=photos, **CIFAR_NET)
    run = trained("run", data=photos, resume=True, **CIFAR_NET)
    assert run.weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_the_weights_hold_the_mean_of_the_central_crops_and_it_does_not_move(trained, photos):
    run = trained("run", data=photos, **CIFAR_NET)
    mean = load_file(run.weights_path)["layers.0.mean"]
    expected = photos.train.pixels[:, 4:28, 4:28].astype(np.float64).mean(0).transpose(2, 0, 1)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_pixels_reach_the_network_unscaled_and_the_record_says_so(trained, photos):
    run = trained("run", data=photos, **CIFAR_NET)
    record = run.config.data.preprocess
    assert (record.offset, record.scale) == (0, 1.0)
    assert (record.image_size, record.resize_size, record.crop) == ((24, 24), (32, 32), "centre")
    assert run.config.training.colour_noise == NOISE
    assert (run.config.training.bias_lr, run.config.training.crop_chunk) == (0.002, 8)
    assert run.config.training.optimizer == "sgd-2012"
    assert photos.preprocess.scale != 1.0  # the data set itself is left alone


@pytest.mark.parametrize("asked", [CIFAR_NET, MINI], ids=lambda asked: asked["model"])
def test_the_file_answers_as_the_network_from_stored_pictures_and_original_files(trained, photos, asked):
    run = trained("run", data=photos, **asked)
    record = export_run(run, photos, int8=False, parity_drop=0.02, progress=Silent())
    assert record.parity.passed
    assert record.parity.files == 10
    predictor = Predictor(run.artifact("fp32"))
    assert predictor.preprocess == run.config.data.preprocess
    stored = predictor.logits(photos.test.pixels[:3])
    again = np.stack([predictor.logits(predictor.stored(file)[None])[0] for file in photos.test.files[:3]])
    np.testing.assert_array_equal(stored, again)


def test_a_run_with_crops_is_evaluated_on_its_own_data_loaded_again(trained, photos):
    run = trained("run", data=photos, **MINI)
    (found,) = evaluate(run.folder, None, "test", Silent())
    assert found.data.images == len(photos.test)
    assert found.torch_agreement.top1_agreement == 1


def test_the_rate_is_divided_by_ten_when_validation_stalls_and_the_history_tells(trained, teller, photos):
    """At so small a rate no epoch is better than the first: three epochs of waiting, three times."""
    asked = {**CIFAR_NET, "schedule": "plateau", "lr": 1e-8, "bias_lr": None, "epochs": 12}
    with pytest.raises(Interrupted):
        trained("run", teller(stopping_at(13)), data=photos, **asked)
    run = trained("run", data=photos, resume=True, **asked)
    rates = [line.lr for line in run.history]
    assert rates == pytest.approx([1e-8] * 4 + [1e-9] * 3 + [1e-10] * 3 + [1e-11] * 2)


def test_marks_lower_the_rate_where_they_are_set(trained, photos):
    run = trained("run", data=photos, **{**CIFAR_NET, "epochs": 4})
    assert [line.lr for line in run.history] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


# Another preset's weights


@pytest.mark.parametrize(
    ("first", "second"),
    [("alexnet:paper", "alexnet:original_code"), ("alexnet:original_code", "alexnet:paper")],
)
def test_the_weights_of_another_preset_are_no_start(trained, large_photos, first, second):
    parent = trained("parent", data=large_photos, model=first, **NARROW)
    with pytest.raises(UserError, match="cannot start from") as caught:
        trained("child", data=large_photos, model=second, start=parent.folder, **NARROW)
    assert "only the last layer may" in caught.value.why
    assert f"--model {first}" in caught.value.remedy
    assert not (parent.folder.parent / "child" / "config.json").exists()


def test_a_checkpoint_of_another_preset_is_refused_in_one_line(trained, teller, large_photos, tmp_path):
    for preset in ("paper", "original_code"):
        with pytest.raises(Interrupted):
            trained(
                preset,
                teller(stopping_at(1)),
                data=large_photos,
                model=f"alexnet:{preset}",
                **{**NARROW, "epochs": 2},
            )
    shutil.copy(tmp_path / "paper" / "checkpoint.safetensors", tmp_path / "original_code")
    with pytest.raises(UserError) as caught:
        trained("original_code", data=large_photos, resume=True, model="alexnet:original_code", **NARROW)
    assert caught.value.what == f"{tmp_path / 'original_code' / 'checkpoint.safetensors'} belongs to another network"
    assert "`layers." in caught.value.why
    assert "\n" not in caught.value.why


def test_weights_of_another_preset_in_a_finished_run_are_refused_in_one_line(trained, large_photos):
    paper, code = (
        trained(name[-5:], data=large_photos, model=name, **NARROW)
        for name in ("alexnet:paper", "alexnet:original_code")
    )
    shutil.copy(paper.weights_path, code.weights_path)
    with pytest.raises(UserError, match="cannot be used") as caught:
        export_run(code, large_photos, int8=False, parity_drop=0.02, progress=Silent())
    assert "another network's: `layers." in caught.value.why


# What is refused before anything is trained


def test_images_too_small_for_the_published_network_leave_no_run(trained, photos, tmp_path):
    with pytest.raises(UserError, match="image size 24 is smaller than alexnet:paper can take"):
        trained("run", data=photos, model="alexnet:paper", width=0.05, epochs=1)
    assert not (tmp_path / "run" / "config.json").exists()


def test_colour_noise_on_gray_pictures_leaves_no_run(trained, clothes_data, tmp_path):
    with pytest.raises(UserError, match="gray pictures have no colour noise"):
        trained("run", data=clothes_data, **CIFAR_NET)
    assert not (tmp_path / "run" / "config.json").exists()


def test_gray_pictures_train_without_colour_noise(trained, clothes_data):
    run = trained("run", data=clothes_data, **{**CIFAR_NET, "colour_noise": None, "epochs": 1})
    assert load_file(run.weights_path)["layers.0.mean"].shape == (1, 28, 28)
