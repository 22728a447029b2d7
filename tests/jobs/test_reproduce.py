"""`reproduce` trains what is missing, measures it once for all claims, and labels by the interval."""

import json

import numpy as np
import pytest
from msgspec.structs import replace as replace_record

from econet.claims.claim import Arm, Claim, Scale
from econet.errors import UserError
from econet.jobs import arm_run, reproduce
from econet.jobs.arm_run import ArmRun, run_arm
from econet.runs.claim_records import ClaimRecord, Outcome, Said
from econet.runs.record import read_record, write_record
from econet.training.progress import Silent

SAID = Said(text="it helps", value=0.02, unit="of test images", where="nowhere")
SETTINGS = {
    "width": 0.1,
    "epochs": 2,
    "batch_size": 24,
    "optimizer": "sgd",
    "lr": 0.02,
    "ema": 0.0,
    "label_smoothing": 0.0,
    "augment": "light",
    "deterministic": True,
}
SMALL = Scale("small", "fashion-mnist", "alexnet:mini", 24, 28, SETTINGS)
PLAIN = Arm("plain", switches={"lrn": False})
BASE = Arm("base")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder for trainings, and claims of this test alone."""
    claims = {
        "with": Claim("with", "It helps", SAID, (PLAIN, BASE), SMALL),
        "together": Claim("together", "Together", SAID, (BASE,), SMALL, second_measure=arm_run.ENSEMBLE),
        "views": Claim("views", "Views", SAID, (BASE,), SMALL, second_measure="ten_view_error"),
        "quoted": Claim("quoted", "Quoted", SAID),
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(arm_run, "CLAIMS", claims)
    monkeypatch.setattr(reproduce, "claim_named", claims.__getitem__)
    monkeypatch.setattr(reproduce, "result_path", lambda name: tmp_path / "published" / name / "claim.json")
    monkeypatch.setattr(reproduce, "_spawned", lambda claim, run, processes: run_arm(run, Silent()))
    return tmp_path


def test_one_training_is_measured_for_every_claim_that_shares_it(home, clothes_folder):
    outcome = run_arm(ArmRun(SMALL, BASE, 0, data_dir=clothes_folder), Silent())
    assert set(outcome.measures) == {"test_error", "ten_view_error"}
    assert 0.2 < outcome.measures["test_error"] < 0.95
    assert outcome.epochs == 2
    assert outcome.stopped_by == "the end of its plan"
    answers, truth = arm_run.read_answers(ArmRun(SMALL, BASE, 0))
    assert (answers.argmax(1) != truth).mean() == pytest.approx(outcome.measures["test_error"])


def test_what_is_done_is_not_done_again(home, clothes_folder, monkeypatch):
    wanted = ArmRun(SMALL, BASE, 0, data_dir=clothes_folder)
    first = run_arm(wanted, Silent())
    monkeypatch.setattr(arm_run, "train", None)  # calling it would raise
    assert run_arm(wanted, Silent()) == first


def test_a_folder_with_other_settings_is_refused(home, clothes_folder):
    run_arm(ArmRun(SMALL, BASE, 0, data_dir=clothes_folder), Silent())
    other = Scale("small", "fashion-mnist", "alexnet:mini", 24, 28, {**SETTINGS, "epochs": 3})
    with pytest.raises(UserError, match="other settings"):
        run_arm(ArmRun(other, BASE, 0, data_dir=clothes_folder), Silent())


def test_a_training_ends_when_its_target_is_reached(home, clothes_folder):
    quick = {**SETTINGS, "width": 0.25, "epochs": 40, "optimizer": "adamw", "lr": 0.01}
    eager = Scale("eager", "fashion-mnist", "econet", 24, 28, quick, stop_at=0.5)
    outcome = run_arm(ArmRun(eager, BASE, 0, data_dir=clothes_folder), Silent())
    assert outcome.stopped_by == "its target"
    assert 1 <= outcome.epochs < 40


def test_a_training_that_diverges_is_an_outcome_without_measures(home, clothes_folder):
    wild = Scale("wild", "fashion-mnist", "cuda_convnet:26pct", 24, 28, {"epochs": 4, "lr": 90.0, "batch_size": 24})
    outcome = run_arm(ArmRun(wild, Arm("wild"), 0, data_dir=clothes_folder), Silent())
    assert outcome.measures == {}
    assert "diverged" in outcome.stopped_by


def test_a_share_of_the_images_is_stratified(home, clothes_folder):
    whole = arm_run._dataset(ArmRun(SMALL, BASE, 0, data_dir=clothes_folder))
    for share in (1 / 4, 3 / 4):
        part = arm_run._dataset(ArmRun(SMALL, Arm("part", share=share), 0, data_dir=clothes_folder))
        assert len(part.train) == pytest.approx(share * len(whole.train), abs=6)
        assert set(part.train.labels.tolist()) == set(whole.train.labels.tolist())
        np.testing.assert_array_equal(part.test.labels, whole.test.labels)


def test_a_claim_is_recorded_with_every_seeds_value(home, clothes_folder):
    found = reproduce.reproduce(
        ["with", "together"], Silent(), seeds=3, workers=1, data_dir=clothes_folder, record=True
    )
    claim = read_record(home / "published" / "with" / "claim.json", ClaimRecord)
    assert claim == found[0]
    assert claim.scaled_down
    assert {name: len(values) for name, values in claim.values.items()} == {"plain": 3, "base": 3}
    assert claim.effect == pytest.approx(np.mean(claim.values["base"]) - np.mean(claim.values["plain"]))
    assert claim.interval[0] < claim.effect < claim.interval[1]
    gains = [json.loads(path.read_bytes())["still_improving"] for path in (home / "runs").rglob("finished.json")]
    assert len(gains) == 6
    assert claim.ran.improving == sum(gains)
    together = found[1].values[arm_run.ENSEMBLE]
    answers = [arm_run.read_answers(ArmRun(SMALL, BASE, seed)) for seed in range(3)]
    mean = sum(each[0] for each in answers) / 3
    assert together == pytest.approx([(mean.argmax(1) != answers[0][1]).mean()] * 3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", bytes(200)])
def test_damaged_answers_are_named(home, content):
    wanted = ArmRun(SMALL, BASE, 0)
    wanted.folder.mkdir(parents=True)
    wanted.answers_path.write_bytes(content)
    with pytest.raises(UserError, match=r"answers\.npz"):
        arm_run.read_answers(wanted)


@pytest.mark.parametrize("asked", [{"seeds": 0}, {"seeds": -1}, {"workers": 0}, {"workers": -2}])
def test_counts_out_of_range_are_refused_before_anything_is_trained(home, asked):
    with pytest.raises(UserError, match="out of range"):
        reproduce.reproduce(["with"], Silent(), **asked)
    assert not (home / "runs").exists()


def test_a_seed_out_of_range_leaves_no_folder_behind(home):
    with pytest.raises(UserError, match="--seed -1"):
        run_arm(ArmRun(SMALL, BASE, -1), Silent())
    assert not (home / "runs").exists()


def test_a_quoted_claim_says_that_it_was_not_run(home):
    (claim,) = reproduce.reproduce(["quoted"], Silent())
    assert claim.label == "not run here (needs ImageNet)"
    assert claim.ran is None
    assert claim.effect is None


def test_two_seeds_are_too_few_for_a_label(home, clothes_folder):
    (claim,) = reproduce.reproduce(["views"], Silent(), seeds=2, workers=1, data_dir=clothes_folder)
    assert claim.label == "inconclusive"
    assert claim.interval is None
    assert len(claim.values["ten_view_error"]) == 2


def test_the_rate_is_the_one_that_is_best_on_a_seed_of_its_own(home, monkeypatch):
    arm = Arm("rated", rates=(0.1, 0.01, 0.001))
    claim = Claim("rated", "Rated", SAID, (arm, BASE), SMALL)
    monkeypatch.setitem(arm_run.CLAIMS, "rated", claim)

    def outcome(claim, run, processes):
        measures = {0.1: {}, 0.01: {"test_error": 0.2}, 0.001: {"test_error": 0.3}}[run.lr]
        run.folder.mkdir(parents=True, exist_ok=True)
        told = Outcome(arm="rated", seed=run.seed, measures=measures, epochs=1, seconds=1.0, stopped_by="test")
        write_record(run.outcome_path, told)

    monkeypatch.setattr(reproduce, "_spawned", outcome)
    assert reproduce._searched(claim, SMALL, arm, None, 1, Silent()) == 0.01


def test_at_full_size_the_folder_given_is_the_data(home):
    claim = reproduce.at_size(Claim("with", "It helps", SAID, (PLAIN, BASE), SMALL), "somewhere/imagenet")
    assert claim.scale.data == "somewhere/imagenet"
    assert claim.scale.model == "alexnet:paper"
    assert claim.scale.name == "full-imagenet"
    with pytest.raises(UserError, match="no experiment on a folder"):
        reproduce.at_size(Claim("with", "It helps", SAID, (PLAIN, BASE), SMALL, full_size=False), "somewhere")


def test_outcome_records_survive_the_disk(tmp_path):
    told = Outcome(arm="a", seed=1, measures={"test_error": 0.5}, epochs=2, seconds=3.0, stopped_by="its target")
    write_record(tmp_path / "outcome.json", told)
    assert read_record(tmp_path / "outcome.json", Outcome) == replace_record(told)
