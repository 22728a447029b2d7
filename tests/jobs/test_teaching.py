"""Who teaches a run: what is asked, what is recorded, and what an earlier EcoNet recorded."""

import json
import shutil
import signal

import msgspec
import pytest

from econet.data.load import load_data
from econet.errors import UserError
from econet.jobs.options import TrainOptions, check_train_options
from econet.jobs.recipe_steps import train_options
from econet.jobs.teaching import asked_teacher
from econet.runs.folder import Run, open_run
from econet.runs.recipe_steps import DistilStep
from econet.training import kept_logits
from econet.training.interruption import Interrupted

ADDED = ("others", "loss", "match_features", "views")  # to the record of a teacher, after the first versions


def stop(step: int) -> None:
    if step == 4:
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def teachers(trained, tmp_path):
    for name, seed in (("first", 1), ("second", 2)):
        trained(name, epochs=1, seed=seed)
    return [tmp_path / "first", tmp_path / "second"]


def test_a_config_with_one_teacher_as_it_was_written_before_is_read_and_resumed(trained, teachers, teller, tmp_path):
    with pytest.raises(Interrupted):
        trained("run", teller(stop), teacher=teachers[0])
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_bytes())
    for name in ADDED:
        del config["training"]["teacher"][name]
    for name in ("mixup", "cutmix"):
        del config["training"][name]
    assert set(config["training"]["teacher"]) == {"run", "weights_sha256", "temperature", "weight"}
    path.write_text(json.dumps(config))
    assert [each.run for each in open_run(tmp_path / "run").config.training.teacher.runs] == ["../first"]
    run = trained("run", resume=True)
    assert run.weights_path.read_bytes() == trained("plain", teacher=teachers[0]).weights_path.read_bytes()


def test_several_teachers_are_recorded_in_their_order_and_teach_together(trained, teachers):
    both = trained("both", teacher=teachers)
    recorded = both.config.training.teacher
    assert [each.run for each in recorded.runs] == ["../first", "../second"]
    assert [each.weights_sha256 for each in recorded.runs] == [
        open_run(folder).finished.weights_sha256 for folder in teachers
    ]
    alone = trained("alone", teacher=teachers[0])
    assert both.weights_path.read_bytes() != alone.weights_path.read_bytes()


def test_a_second_teacher_of_another_size_is_refused(trained, teachers, clothes_folder, tmp_path):
    small = load_data("fashion-mnist", data_dir=clothes_folder, image_size=16)
    trained("small", data=small, epochs=1)
    with pytest.raises(UserError, match="small cannot teach on fashion-mnist"):
        trained("student", teacher=[teachers[0], tmp_path / "small"])
    assert not (tmp_path / "student" / "config.json").exists()


def test_a_second_teacher_that_changed_is_noticed_by_the_resume(trained, teachers, teller):
    with pytest.raises(Interrupted):
        trained("student", teller(stop), teacher=teachers)
    shutil.copy(teachers[0] / "weights.safetensors", teachers[1] / "weights.safetensors")
    with pytest.raises(UserError, match=r"the teacher in .*second changed"):
        trained("student", resume=True)


def test_the_loss_is_recorded_and_changes_what_is_learned(trained, teachers):
    kl, mse = (trained(loss, teacher=teachers[0], distil=loss, epochs=1) for loss in ("kl", "mse"))
    assert (kl.config.training.teacher.loss, mse.config.training.teacher.loss) == ("kl", "mse")
    assert kl.weights_path.read_bytes() != mse.weights_path.read_bytes()


@pytest.mark.parametrize("asked", [{"match_features": 1.0}, {"teacher_views": 4}])
def test_what_is_about_a_teacher_needs_one(asked):
    with pytest.raises(UserError, match="was given without --teacher"):
        check_train_options(TrainOptions(**asked))


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("--mixup", {"mixup": 0.2}),
        ("--cutmix", {"cutmix": 1.0}),
        ("--match-features", {"match_features": 1.0}),
        ("crop_chunk", {"crop_chunk": 2}),
    ],
)
def test_views_that_would_not_come_again_are_refused(tmp_path, option, asked):
    with pytest.raises(UserError, match=f"--teacher-views and {option} were both given"):
        check_train_options(TrainOptions(teacher=tmp_path, teacher_views=4, **asked))


def test_several_processes_keep_no_answers(trained, teachers, monkeypatch):
    monkeypatch.setattr(kept_logits.parallel, "processes", lambda: 2)
    with pytest.raises(UserError, match="2 processes cannot keep a teacher's answers"):
        asked_teacher(TrainOptions(teacher=teachers[0], teacher_views=2), teachers[0].parent)


@pytest.mark.parametrize(("written", "count"), [('"recipe:a#0"', 1), ('["recipe:a#0", "recipe:b#1"]', 2)])
def test_a_recipe_names_one_teacher_or_several(written, count, tmp_path):
    text = f'{{"do": "distil", "run": "s", "model": "econet", "epochs": 1, "teacher": {written}, "mixup": 0.2}}'
    step = msgspec.json.decode(text, type=DistilStep)
    options = train_options(step, lambda name: Run(tmp_path / name), seed=0, threads=1)
    assert options.teachers == (tmp_path / "recipe:a#0", tmp_path / "recipe:b#1")[:count]
    assert options.mixup == 0.2
