"""`train`: what a run folder promises to whoever trains in it."""

import dataclasses
import errno
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from econet import files
from econet.data.dataset import Images
from econet.data.load import load_data
from econet.errors import UserError
from econet.training import weights
from econet.training.interruption import Interrupted

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


def refuse(number):
    def fail(*arguments, **named):
        raise OSError(number, os.strerror(number))

    return fail


def stop(step: int) -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def two_classes(clothes_data):
    """The t-shirts and trousers alone, as a data set of two classes."""

    def chosen(images: Images) -> Images:
        kept = images.labels < 2
        return Images(images.pixels[kept], images.labels[kept])

    parts = {name: chosen(getattr(clothes_data, name)) for name in ("train", "validation", "test")}
    return dataclasses.replace(clothes_data, classes=clothes_data.classes[:2], fingerprint="two", **parts)


def test_config_holds_what_was_asked_and_what_was_resolved(trained, clothes_data):
    run = trained("run", epochs=1, augment="standard")
    config = json.loads((run.folder / "config.json").read_bytes())
    assert config["schema"] == 1
    assert config["data"]["fingerprint"] == clothes_data.fingerprint
    assert config["data"]["classes"][9] == "ankle boot"
    assert config["architecture"]["name"] == config["model"] == "econet"
    assert config["training"]["augment"] == "standard"
    assert config["training"]["optimizer"] in {"sgd", "adamw", "muon"}
    plan = {"epochs": 1, "steps_per_epoch": 11, "steps": 11, "dropped_images": 271 - 11 * 24, "frozen_steps": 0}
    assert config["plan"] == plan
    assert config["machine"]["threads"] == 1
    assert config["machine"]["deterministic"] is True
    assert config["machine"]["measured_images_per_s"] == {}
    assert config["torch"] == torch.__version__
    assert {"created", "command", "python", "econet", "git_commit", "seed"} <= config.keys()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(trained):
    first, again, other = (
        trained(name, epochs=1, seed=seed).weights_path.read_bytes() for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == again
    assert first != other


def test_a_run_is_not_trained_over(trained):
    trained("run", epochs=1)
    with pytest.raises(UserError, match="holds a run already") as caught:
        trained("run", epochs=1)
    assert "--resume" in caught.value.remedy


def test_a_resume_where_nothing_was_begun_starts_afresh_and_says_so(trained, teller):
    notes = teller()
    run = trained("run", notes, epochs=1, resume=True)
    assert run.is_finished
    assert f"{run.folder} holds no run yet: starting afresh" in notes.notes


def test_another_split_in_the_same_folder_is_refused(trained, clothes_folder):
    trained("run", epochs=1)
    other = load_data("fashion-mnist", data_dir=clothes_folder, validation=0.15, seed=1)
    with pytest.raises(UserError, match="belongs to other data") as caught:
        trained("run", data=other, resume=True)
    assert "--seed" in caught.value.why


def test_another_data_set_in_the_same_folder_is_refused(trained, clothes_data):
    trained("run", epochs=1)
    other = dataclasses.replace(clothes_data, name="cifar10", fingerprint="another")
    with pytest.raises(UserError) as caught:
        trained("run", data=other, resume=True)
    assert caught.value.why == "it was trained on fashion-mnist, not on cifar10"


def test_a_photo_that_came_after_is_named(trained, tmp_path):
    photos = shutil.copytree(PHOTOS, tmp_path / "photos")
    before = load_data(str(photos), image_size=8)
    run = trained("run", data=before, epochs=1)
    assert (run.folder / "data.jsonl").exists()
    first = sorted(photos.rglob("*.jpg"))[0]
    shutil.copy(first, first.with_name("added.jpg"))
    with pytest.raises(UserError, match="belongs to other data") as caught:
        trained("run", data=load_data(str(photos), image_size=8), epochs=1, resume=True)
    assert "1 added" in caught.value.why
    assert "added.jpg" in caught.value.why


def test_photos_that_went_changed_or_moved_since_are_listed(trained, tmp_path):
    photos = Path(shutil.copytree(PHOTOS, tmp_path / "photos"))
    run = trained("run", data=load_data(str(photos), image_size=8), epochs=1)
    config = run.config_path.read_bytes()
    hats, dresses = (sorted((photos / "train" / name).iterdir()) for name in ("hat", "dress"))
    hats[1].unlink()
    shutil.copyfile(dresses[1], dresses[0])
    with pytest.raises(UserError, match="belongs to other data") as caught:
        trained("run", data=load_data(str(photos), image_size=8), epochs=1, resume=True)
    assert f"1 removed (train/hat/{hats[1].name})" in caught.value.why
    assert f"1 changed (train/dress/{dresses[0].name})" in caught.value.why
    assert run.config_path.read_bytes() == config


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_without_permission_is_refused_before_training(trained, tmp_path, monkeypatch, teller, number):
    monkeypatch.setattr(Path, "write_bytes", refuse(number))
    with pytest.raises(UserError, match=os.strerror(number)) as caught:
        trained("run", teller(stop))
    assert caught.value.what == f"cannot write {tmp_path / 'run'}"


def test_a_disk_that_is_full_at_the_start_leaves_no_run(trained, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", refuse(errno.ENOSPC))
        with pytest.raises(UserError, match="No space left on device"):
            trained("run", epochs=1)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    assert trained("run", epochs=1).is_finished


def test_a_disk_that_fills_up_later_keeps_the_last_checkpoint(trained, tmp_path, monkeypatch, teller):
    def fill(step: int) -> None:
        if step == 5:
            monkeypatch.setattr(files.os, "fsync", refuse(errno.ENOSPC))

    with pytest.raises(UserError, match="what was written before is unharmed"):
        trained("run", teller(fill), every=0.0)
    monkeypatch.undo()
    assert trained("run", resume=True).weights_path.read_bytes() == trained("plain").weights_path.read_bytes()


def test_a_second_writer_in_one_folder_is_told_the_holder(trained, tmp_path):
    with files.folder_lock(tmp_path / "run"), pytest.raises(UserError, match=str(os.getpid())):
        trained("run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(("option", "asked"), [("--lr", {"lr": -1.0}), ("--batch-size", {"batch_size": 0})])
def test_an_option_out_of_range_leaves_no_folder(trained, tmp_path, option, asked):
    with pytest.raises(UserError, match=option):
        trained("run", **asked)
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_too_large_for_the_pictures_leaves_no_run(trained, clothes_folder, tmp_path):
    small = load_data("fashion-mnist", data_dir=clothes_folder, image_size=16)
    with pytest.raises(UserError, match="image size 16 is smaller than alexnet_small can take"):
        trained("run", data=small, model="alexnet_small")
    assert not (tmp_path / "run" / "config.json").exists()


def test_more_asked_of_a_batch_than_there_is_takes_all_there_is(trained):
    run = trained("run", batch_size=5000, epochs=1)
    assert (run.config.training.batch_size, run.config.plan.steps) == (271, 1)


# A teacher


def test_a_student_learns_from_its_teacher(trained, tmp_path):
    teacher = trained("teacher", epochs=1)
    plain = trained("plain", epochs=1, seed=1)
    student = trained("student", epochs=1, seed=1, teacher=tmp_path / "teacher")
    recorded = student.config.training.teacher
    assert Path(recorded.run) == Path("..") / "teacher"
    assert recorded.weights_sha256 == teacher.finished.weights_sha256
    assert student.weights_path.read_bytes() != plain.weights_path.read_bytes()


def test_a_teacher_of_other_classes_is_refused(trained, two_classes, tmp_path):
    trained("teacher", data=two_classes, epochs=1)
    with pytest.raises(UserError, match="its classes are others"):
        trained("student", teacher=tmp_path / "teacher")
    assert not (tmp_path / "student" / "config.json").exists()


def test_a_teacher_of_another_size_is_refused(trained, clothes_folder, tmp_path):
    trained("teacher", data=load_data("fashion-mnist", data_dir=clothes_folder, image_size=16), epochs=1)
    with pytest.raises(UserError, match="cannot teach on fashion-mnist"):
        trained("student", teacher=tmp_path / "teacher")


def test_a_teacher_that_is_no_run_or_not_finished_is_refused(trained, teller, tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        trained("student", teacher=tmp_path / "nobody")
    with pytest.raises(Interrupted):
        trained("teacher", teller(stop))
    with pytest.raises(UserError, match="is not finished"):
        trained("student", teacher=tmp_path / "teacher")


def test_a_teacher_that_changed_is_noticed_by_the_resume(trained, teller, tmp_path):
    teacher = trained("teacher", epochs=1)
    with pytest.raises(Interrupted):
        trained("student", teller(stop), teacher=tmp_path / "teacher")
    shutil.copy(trained("another", epochs=1, seed=5).weights_path, teacher.weights_path)
    with pytest.raises(UserError, match=r"the teacher in .* changed"):
        trained("student", resume=True)


def test_a_teacher_sees_the_pictures_on_its_own_scale(clothes_data):
    own = dataclasses.replace(clothes_data).preprocess
    student = type(own)(image_size=(28, 28), channels=1, resize_size=(28, 28), offset=10, scale=0.5)
    pixels = torch.arange(0.0, 256.0)
    seen = weights.Renormalised(nn.Identity(), student, own)((pixels - 10) * 0.5)
    np.testing.assert_allclose(seen.numpy(), (pixels.numpy() - own.offset) * own.scale, rtol=1e-4, atol=1e-4)


# Trained weights to start from


def test_a_start_for_other_classes_keeps_all_but_the_last_layer(trained, two_classes, teller):
    parent = trained("parent", epochs=1)
    notes = teller()
    child = trained("child", notes, data=two_classes, epochs=1, lr=1e-9, ema=0.0, weight_decay=0.0, start=parent.folder)
    before, after = load_file(parent.weights_path), load_file(child.weights_path)
    last = [name for name in before if before[name].shape != after[name].shape]
    assert [before[name].shape[0] for name in last] == [10] * len(last)
    assert [after[name].shape[0] for name in last] == [2] * len(last)
    assert len({name.rsplit(".", 1)[0] for name in last}) == 1
    weights_kept = [name for name in before if name.endswith("conv.weight") or "wise.weight" in name]
    assert weights_kept
    for name in weights_kept:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)
    assert any("new: " in note and last[0] in note for note in notes.notes)
    assert child.config.training.from_weights_sha256 == files.sha256_of(parent.weights_path)


def test_a_start_from_another_width_is_refused(trained):
    parent = trained("parent", epochs=1)
    with pytest.raises(UserError, match="only the last layer may") as caught:
        trained("child", start=parent.folder, width=0.5)
    assert "--model econet" in caught.value.remedy


def test_a_resume_needs_its_start_no_more_once_it_has_a_checkpoint(trained, teller):
    parent = trained("parent", epochs=1)
    plain = trained("plain", start=parent.folder)
    with pytest.raises(Interrupted):
        trained("child", teller(stop), start=parent.folder)
    shutil.rmtree(parent.folder)
    assert trained("child", resume=True).weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_a_start_that_changed_before_the_first_checkpoint_is_noticed(trained, teller, tmp_path):
    class Crash(Exception):
        pass

    def crash(step: int) -> None:
        raise Crash

    parent = trained("parent", epochs=1)
    with pytest.raises(Crash):
        trained("child", teller(crash), start=parent.folder)
    for path in (tmp_path / "child").glob("checkpoint*"):  # as a crash a moment earlier leaves it
        path.unlink()
    shutil.copy(trained("another", epochs=1, seed=5).weights_path, parent.weights_path)
    with pytest.raises(UserError, match=r"the run to start from in .* changed"):
        trained("child", resume=True)


# A network of one's own


def test_a_network_handed_over_is_trained_resumed_and_told_from_another(trained, teller):
    def network(hidden: int = 8) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    plain = trained("plain", model="Sequential", module=network())
    assert plain.config.architecture["object"] == "Sequential"
    with pytest.raises(Interrupted):
        trained("run", teller(stop), model="Sequential", module=network())
    with pytest.raises(UserError, match="was made with another network"):
        trained("run", model="Sequential", module=network(9), resume=True)
    with pytest.raises(UserError, match="handed over as a Python object"):
        trained("run", model="Sequential", resume=True)
    run = trained("run", model="Sequential", module=network(), resume=True)
    assert run.weights_path.read_bytes() == plain.weights_path.read_bytes()
