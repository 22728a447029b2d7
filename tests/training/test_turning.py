"""Self-supervised training: turned pictures, no label read, a run like any other, and a start for one with labels."""

import dataclasses
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from econet.data.load import load_data
from econet.errors import UserError
from econet.jobs.evaluate import evaluate
from econet.jobs.export import export
from econet.jobs.options import TrainOptions, check_train_options
from econet.training.interruption import Interrupted
from econet.training.progress import Silent
from econet.training.turning import dealt_turns, learned_nothing, turned

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


@pytest.fixture
def pretrained(trained):
    """Train without labels in `tmp_path / name`."""
    return lambda name, *notes, **asked: trained(name, *notes, **{"self_supervised": True, "augment": "light", **asked})


def test_pictures_are_turned_as_numpy_turns_them():
    images = torch.randn(9, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    turns = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0, 1])
    for layout in (torch.contiguous_format, torch.channels_last):
        found = turned(images.contiguous(memory_format=layout), turns)
        assert found.is_contiguous(memory_format=layout)
        expected = [np.rot90(image, number, (1, 2)) for image, number in zip(images.numpy(), turns, strict=True)]
        np.testing.assert_array_equal(found.numpy(), np.stack(expected))


def test_every_turn_is_dealt_as_often_as_the_others_and_by_the_generator_alone():
    deal = [dealt_turns(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert sorted(torch.bincount(deal[0]).tolist()) == [12, 12, 13, 13]
    assert torch.equal(deal[0], deal[1])
    assert not torch.equal(deal[0], deal[2])


def test_no_label_is_read(pretrained, clothes_data):
    def shuffled(images):
        return dataclasses.replace(images, labels=np.random.default_rng(1).permutation(images.labels))

    names = ("train", "validation", "test")
    other = dataclasses.replace(clothes_data, **{name: shuffled(getattr(clothes_data, name)) for name in names})
    assert not np.array_equal(other.train.labels, clothes_data.train.labels)
    first, second = pretrained("first", epochs=1), pretrained("second", epochs=1, data=other)
    assert first.weights_path.read_bytes() == second.weights_path.read_bytes()
    assert first.finished.validation_accuracy == second.finished.validation_accuracy


def test_turns_are_learned_and_what_was_learned_is_a_start(pretrained, trained, teller):
    run = pretrained("run", epochs=6)
    history = run.history
    assert run.config.data.unlabelled
    assert len(run.config.data.classes) == 4
    assert history[-1].loss < history[0].loss
    assert run.finished.validation_accuracy > 0.4
    assert run.finished.warnings == ()
    notes = teller()
    further = trained("further", notes, model=None, start=run.folder, epochs=1)
    assert further.config.training.from_weights_sha256 == run.finished.weights_sha256
    assert further.config.plan.frozen_steps == round(0.25 * further.config.plan.steps)
    assert len(further.config.data.classes) == 10


def test_one_that_learned_nothing_says_so(pretrained, teller):
    notes = teller()
    run = pretrained("run", notes, epochs=1, lr=1e-9)
    assert "no better than chance" in run.finished.warnings[0]
    assert any(run.finished.warnings[0] in note for note in notes.notes)


def test_the_word_about_chance_is_an_intervals():
    # Wilson's lower end for 40 of 100 is 0.309, for 30 of 100 0.219 (by hand: z = 1.96).
    assert learned_nothing(0.4, 100) is None
    assert learned_nothing(0.3, 100) is not None


def test_a_stopped_one_ends_with_the_same_bits(pretrained, teller):
    def stop(step: int) -> None:
        if step == 13:
            signal.raise_signal(signal.SIGTERM)

    plain = pretrained("plain")
    with pytest.raises(Interrupted):
        pretrained("run", teller(stop))
    again = pretrained("run", resume=True, self_supervised=False)  # the record alone decides
    assert again.weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_it_is_no_classifier_and_says_so(pretrained):
    run = pretrained("run", epochs=1)
    with pytest.raises(UserError, match="a self-supervised run knows no classes"):
        evaluate(run.folder, None, "test", Silent())
    with pytest.raises(UserError, match="a self-supervised run knows no classes"):
        export(run, int8=False, parity_drop=1.0, progress=Silent())


def test_a_folder_of_pictures_alone_will_do(pretrained, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for number, photo in enumerate(sorted(PHOTOS.rglob("*.jpg"))):
        shutil.copy(photo, bare / f"{number}.jpg")
    with pytest.raises(UserError, match="0 class folders"):
        load_data(str(bare), image_size=16)
    data = load_data(str(bare), image_size=16, unlabelled=True)
    assert data.warnings == ()
    run = pretrained("run", data=data, epochs=1)
    assert run.is_finished


@pytest.mark.parametrize("asked", [{"teacher": Path("a")}, {"mixup": 0.2}, {"cutmix": 1.0}])
def test_what_is_about_classes_is_refused_beside_it(asked):
    with pytest.raises(UserError, match="--self-supervised goes with no"):
        check_train_options(TrainOptions(self_supervised=True, **asked))
