"""A teacher is asked once about each view of a picture, and what it said is kept as long as the run needs it."""

import hashlib
import itertools
import json
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from econet.errors import UserError
from econet.jobs import trial
from econet.training import kept_logits, loop, machine
from econet.training.interruption import Interrupted
from econet.training.kept_logits import KeptLogits
from econet.training.teachers import Teachers

SHAPE = (3, 10, 4)  # views, images, classes
LOGITS = torch.from_numpy(np.random.default_rng(0).normal(0, 5, SHAPE).astype(np.float32))
TRAIN_IMAGES, BATCH = 271, 24  # of the `trained` fixture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.fixture
def opened(folder, teller):
    """Open what is kept in `folder`; the notes made meanwhile lie in `.notes`."""

    def open_again(shape=SHAPE):
        notes = teller()
        run = SimpleNamespace(folder=folder, config_path=folder / "config.json")
        return SimpleNamespace(kept=KeptLogits(run, shape, 4, notes), notes=notes.notes)

    return open_again


def fill(kept: KeptLogits, views=range(SHAPE[0])) -> None:
    for view in views:
        for images in kept.missing(view):
            kept.keep(view, images, LOGITS[view, images])


def missing(kept: KeptLogits) -> list[list[list[int]]]:
    return [[images.tolist() for images in kept.missing(view)] for view in range(SHAPE[0])]


def test_what_was_kept_is_read_back_in_float16(opened):
    kept = opened().kept
    fill(kept)
    for view in range(SHAPE[0]):
        images = torch.tensor([9, 0, 3, 3])
        expected = LOGITS[view, images].numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(kept.of(view, images).numpy(), expected)
    assert kept.path.stat().st_size == kept.bytes == 3 * 10 * 4 * 2


def test_the_bytes_are_told_before_anything_is_written(opened, folder):
    notes = opened((5, 100_000, 10)).notes
    assert len(notes) == 1
    assert "5 views of 100,000 images" in notes[0]
    assert "10.0 MB" in notes[0]
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_only_what_was_written_whole_need_not_be_asked_again(opened):
    kept = opened().kept
    fill(kept, [1])
    kept.keep(2, torch.arange(4, 8), LOGITS[2, 4:8])
    expected = [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], [], [[0, 1, 2, 3], [8, 9]]]
    assert missing(kept) == expected
    again = opened()
    assert missing(again.kept) == expected
    assert again.notes == []


def test_a_torn_line_of_the_journal_costs_its_block_alone(opened, folder):
    fill(opened().kept)
    journal = folder / "teacher_logits.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    kept = opened().kept
    assert missing(kept) == [[], [], [[8, 9]]]
    fill(kept)
    assert missing(opened().kept) == [[], [], []]


def test_a_damaged_block_is_asked_for_again_with_a_note(opened, folder):
    fill(opened().kept)
    path = folder / "teacher_logits.f16"
    content = bytearray(path.read_bytes())
    content[(1 * 10 + 5) * 4 * 2] ^= 1  # view 1, image 5
    path.write_bytes(content)
    again = opened()
    assert missing(again.kept) == [[], [[4, 5, 6, 7]], []]
    assert any("1 of 9 blocks" in note for note in again.notes)


def test_of_another_run_or_shape_or_size_everything_is_asked_again_with_a_note(opened, folder):
    nothing = [[list(range(4)), list(range(4, 8)), [8, 9]]] * 3
    fill(opened().kept)
    (folder / "config.json").write_text('{"another": "run"}')
    again = opened()
    assert missing(again.kept) == nothing
    assert any("is not this run's" in note for note in again.notes)
    fill(again.kept)
    path = folder / "teacher_logits.f16"
    path.write_bytes(path.read_bytes()[:-2])
    assert missing(opened().kept) == nothing
    fill(opened().kept)
    (folder / "teacher_logits.jsonl").write_text("no journal\n")
    assert missing(opened().kept) == nothing


def test_a_disk_without_room_is_refused_before_it_is_full(opened, monkeypatch, folder):
    monkeypatch.setattr(kept_logits.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(UserError, match="does not fit on the disk") as caught:
        fill(opened().kept)
    assert "--teacher-views" in caught.value.remedy
    assert not (folder / "teacher_logits.f16").exists()


def test_logits_beyond_float16_stay_finite(opened):
    kept = opened().kept
    kept.keep(0, torch.arange(4), torch.full((4, 4), 1e6))
    assert kept.of(0, torch.arange(4)).isfinite().all()


# In training


@pytest.fixture
def asked(monkeypatch):
    """How many pictures each call of the teacher was about."""
    counts: list[int] = []
    answer = Teachers.forward

    def counted(self, x):
        counts.append(len(x))
        return answer(self, x)

    monkeypatch.setattr(Teachers, "forward", counted)
    return counts


def stop_at(step: int):
    return lambda done: signal.raise_signal(signal.SIGTERM) if done == step else None


@pytest.fixture
def student(trained, tmp_path):
    """A student of four epochs, taught about two views of each picture."""
    trained("teacher", epochs=1)
    usual = {"teacher": tmp_path / "teacher", "teacher_views": 2, "epochs": 4, "augment": "strong"}
    return lambda name, *notes, **more: trained(name, *notes, **{**usual, **more})


def test_the_teacher_is_asked_once_about_each_view_and_nothing_is_left(student, asked, teller):
    notes = teller()
    run = student("student", notes)
    assert sum(asked) == 2 * TRAIN_IMAGES  # without views: 4 epochs of 11 batches of 24
    assert any("2 views of 271 images" in note for note in notes.notes)
    assert not list(run.folder.glob("teacher_logits*"))
    assert run.config.training.teacher.views == 2


def test_no_more_views_are_kept_than_there_are_epochs(student, asked):
    student("student", epochs=1, teacher_views=5)
    assert sum(asked) == TRAIN_IMAGES


def test_kept_answers_are_those_the_teacher_gives_to_the_pictures_of_that_epoch(student, monkeypatch):
    seen: list[tuple] = []
    learn = loop.learn

    def watched(network, teacher, images, labels, *rest, **named):
        seen.append((images, teacher(images)))
        return learn(network, teacher, images, labels, *rest, **named)

    networks: list[Teachers] = []
    fit_prepare = loop.Lessons

    def lessons(dataset, config, seed, sharing, teacher, kept):
        networks.append(teacher)
        return fit_prepare(dataset, config, seed, sharing, teacher, kept)

    monkeypatch.setattr(loop, "learn", watched)
    monkeypatch.setattr(loop, "Lessons", lessons)
    student("student")
    assert len(seen) == 4 * 11
    for images, answers in seen:
        with torch.no_grad():
            live = networks[0](images)
        torch.testing.assert_close(answers, live, rtol=2**-10, atol=1e-4)


def test_the_pictures_of_a_view_come_again_and_those_of_another_do_not(student, monkeypatch):
    epochs: list[set[str]] = []
    learn = loop.learn

    def watched(network, teacher, images, *rest, **named):
        if len(epochs) == 0 or sum(map(len, epochs)) >= 11 * BATCH * len(epochs):
            epochs.append(set())
        epochs[-1] |= {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in images}
        return learn(network, teacher, images, *rest, **named)

    monkeypatch.setattr(loop, "learn", watched)
    student("student")
    first, second, third, _ = epochs
    assert len(first & third) >= 271 - 2 * (271 - 264)  # all but the few that an epoch leaves out
    assert len(first & second) < 10


@pytest.mark.parametrize("stop", [3, 17])
def test_a_stopped_run_ends_with_the_same_bits_and_asks_nothing_twice(student, teller, asked, stop):
    with pytest.raises(Interrupted):
        student("stopped", teller(stop_at(stop)))
    run = student("stopped", resume=True)
    assert sum(asked) == 2 * TRAIN_IMAGES
    assert run.weights_path.read_bytes() == student("plain").weights_path.read_bytes()
    assert not list(run.folder.glob("teacher_logits*"))


def test_a_run_stopped_while_the_teacher_answers_goes_on_with_the_next_block(student, asked, monkeypatch):
    keep = KeptLogits.keep

    def stopping(self, view, images, logits):
        keep(self, view, images, logits)
        if view == 1:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(KeptLogits, "keep", stopping)
        with pytest.raises(Interrupted):
            student("stopped")
    assert sum(asked) == TRAIN_IMAGES + 8 * BATCH  # one block of the second view
    run = student("stopped", resume=True)
    assert sum(asked) == 2 * TRAIN_IMAGES
    assert run.weights_path.read_bytes() == student("plain").weights_path.read_bytes()


def test_the_end_is_the_same_where_what_was_kept_is_damaged(student, teller, asked):
    with pytest.raises(Interrupted):
        run = student("stopped", teller(stop_at(30)))
    before = sum(asked)
    run = student("plain")
    path = run.folder.parent / "stopped" / "teacher_logits.f16"
    path.write_bytes(bytes(path.stat().st_size))
    notes, asked[:] = teller(), []
    stopped = student("stopped", notes, resume=True)
    assert before == 2 * TRAIN_IMAGES
    assert TRAIN_IMAGES <= sum(asked) <= 2 * TRAIN_IMAGES
    assert any("damaged" in note for note in notes.notes)
    assert stopped.weights_path.read_bytes() == run.weights_path.read_bytes()


def test_asking_counts_as_training_time(student, monkeypatch):
    now = [0.0]

    def read() -> float:
        now[0] += 1e-9  # a clock never stands still
        return now[0]

    clock = SimpleNamespace(perf_counter=read)
    for module in ("econet.training.loop", "econet.training.watch"):
        monkeypatch.setattr(f"{module}.time", clock)
    answer = Teachers.forward

    def slow(self, x):
        now[0] += 1.0
        return answer(self, x)

    monkeypatch.setattr(Teachers, "forward", slow)
    run = student("student")
    asks = 2 * -(-TRAIN_IMAGES // BATCH)
    assert run.finished.seconds == pytest.approx(asks)
    assert [line.seconds for line in run.history] == pytest.approx([asks / 2, asks, asks, asks])


def test_without_views_the_config_says_so_and_every_step_asks(student, asked):
    run = student("student", teacher_views=None, epochs=2)
    assert asked == [BATCH] * 22
    assert json.loads(run.folder.joinpath("config.json").read_bytes())["training"]["teacher"]["views"] is None


@pytest.mark.parametrize("way", [{}, {"teacher_views": None, "match_features": 1.0, "mixup": 0.3, "cutmix": 0.3}])
def test_a_time_budget_is_planned_with_whatever_a_step_holds(student, monkeypatch, way):
    def hundredth(step, seconds: float, clock) -> list[float]:
        step()
        return [0.01]

    ticks = itertools.count(0, 0.001)
    monkeypatch.setattr(machine, "_times", hundredth)
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(ticks))
    run = student("student", epochs=None, time_s=0.5, deterministic=False, **way)
    assert run.config.plan.steps >= 20
    assert run.finished.steps == run.config.plan.steps
    assert run.config.machine.measured_images_per_s
