"""`train --tune N`: what was tried is recorded, validation chooses, and the test images stay unread."""

import pytest

from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.jobs.options import TrainOptions
from econet.jobs.search import JOURNAL, open_study
from econet.jobs.train import train
from econet.jobs.tune import SHARE, tune
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.runs.tune_records import Tuning
from econet.training.progress import Silent
from teller import Teller

ASKED = TrainOptions(model="econet", width=0.25, epochs=20, batch_size=24, deterministic=True, threads=1)


@pytest.fixture(scope="module")
def tuned(clothes_data, tmp_path_factory):
    """The folder, the settings found by three trials, and what was told."""
    folder, teller = tmp_path_factory.mktemp("tuned") / "run", Teller()
    return folder, tune(folder, clothes_data, ASKED, 3, teller), teller


def test_what_was_tried_is_recorded_and_the_best_on_validation_is_chosen(tuned, clothes_data):
    folder, found, _ = tuned
    record = read_record(folder / "tuning.json", Tuning)
    assert (folder / JOURNAL).exists()
    assert len(record.trials) == 3
    assert record.share == SHARE
    assert record.validation_images == len(clothes_data.validation)
    best = max((each for each in record.trials if each.outcome == "trained"), key=lambda each: each.accuracy)
    assert record.chosen == best.settings
    chosen = record.chosen
    assert (found.lr, found.weight_decay, found.label_smoothing, found.augment) == (
        chosen.lr,
        chosen.weight_decay,
        chosen.label_smoothing,
        chosen.augment,
    )
    assert found.epochs == ASKED.epochs


def test_the_usual_settings_are_tried_first_and_each_trial_for_its_share(tuned):
    folder, _, _ = tuned
    first = read_record(folder / "tuning.json", Tuning).trials[0].settings
    # econet's own: muon at 0.03, decay 0.01, smoothing 0.05 (training/defaults.py).
    assert (first.lr, first.weight_decay, first.label_smoothing, first.augment) == (0.03, 0.01, 0.05, "light")
    for number in range(3):
        assert Run(folder / "tuning" / f"{number:04d}").config.plan.epochs == 2


def test_the_run_itself_trains_with_what_was_found_and_no_test_image_was_read(tuned, clothes_data):
    folder, found, _ = tuned
    run = train(folder, clothes_data, found, Silent())
    assert run.config.training.lr == found.lr
    assert run.config.training.augment == found.augment
    assert run.finished.epochs == 20
    assert not list(folder.rglob("*.evaluation.json"))


def test_a_search_that_is_done_is_not_done_again(tuned, clothes_data):
    folder, found, _ = tuned
    teller = Teller()
    assert tune(folder, clothes_data, ASKED, 3, teller) == found
    assert teller.notes == [f"{folder / 'tuning.json'}: tuned before"]


def test_the_search_never_sees_the_test_images(clothes_data, tmp_path):
    class Unseen:
        def __getattr__(self, name):
            raise AssertionError(f"the test images were asked for {name}")

    blind = Dataset(**{name: getattr(clothes_data, name) for name in clothes_data.__slots__} | {"test": Unseen()})
    found = tune(tmp_path / "run", blind, ASKED, 1, Silent())
    record = read_record(tmp_path / "run" / "tuning.json", Tuning)
    assert [trial.outcome for trial in record.trials] == ["trained"]
    assert found.lr == record.chosen.lr


def test_a_trial_that_was_running_when_killed_is_queued_again_and_goes_on(clothes_data, tmp_path):
    class Killed(BaseException):
        """As good as SIGKILL for the journal: nothing is told to the study."""

    def die(*anything, **more):
        raise Killed

    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("econet.jobs.tune.train", die)
        with pytest.raises(Killed):
            tune(folder, clothes_data, ASKED, 2, Silent())
    teller = Teller()
    tune(folder, clothes_data, ASKED, 2, teller)
    assert any("queued again" in note for note in teller.notes)
    record = read_record(folder / "tuning.json", Tuning)
    assert len(record.trials) == 2
    assert record.trials[0].settings.lr == pytest.approx(0.03)
    states = [trial.state.name for trial in open_study(folder, 0).get_trials()]
    assert states.count("FAIL") == 1


def test_what_was_asked_for_is_not_searched(clothes_data, tmp_path):
    wanted = TrainOptions(
        model="econet",
        width=0.25,
        epochs=1,
        batch_size=24,
        lr=0.01,
        label_smoothing=0.0,
        augment="none",
        deterministic=True,
        threads=1,
    )
    found = tune(tmp_path / "run", clothes_data, wanted, 2, Silent())
    assert (found.lr, found.label_smoothing, found.augment) == (0.01, 0.0, "none")
    trials = read_record(tmp_path / "run" / "tuning.json", Tuning).trials
    assert len({each.settings.weight_decay for each in trials}) == 2


def test_where_no_setting_trains_the_reason_is_told(clothes_data, tmp_path, monkeypatch):
    def fail(*anything, **more):
        raise UserError("training diverged", "the loss became nan", "a lower --lr")

    monkeypatch.setattr("econet.jobs.tune.train", fail)
    with pytest.raises(UserError, match="none of 2 settings trains econet") as raised:
        tune(tmp_path / "run", clothes_data, ASKED, 2, Silent())
    assert "the loss became nan" in raised.value.why


def test_counts_out_of_range_and_handcrafted_models_are_refused(clothes_data, tmp_path):
    with pytest.raises(UserError, match="--tune 0 is out of range"):
        tune(tmp_path / "run", clothes_data, ASKED, 0, Silent())
    with pytest.raises(UserError, match="cannot be used with hog_linear"):
        tune(tmp_path / "run", clothes_data, TrainOptions(model="hog_linear", epochs=1), 2, Silent())
