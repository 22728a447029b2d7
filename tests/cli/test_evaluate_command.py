"""`econet evaluate` with views, several targets and ensembles: what reaches the job, what is printed."""

import json
from pathlib import Path

import msgspec
import pytest

from econet.runs.artifact_records import Ensemble, Evaluation, Member, WeightSearch


def squeezed(text: str) -> str:
    """The text with every run of spaces as one: columns may move."""
    return " ".join(text.split())


@pytest.fixture
def record(run_folder) -> Evaluation:
    return msgspec.json.decode((run_folder / "model.int8.evaluation.json").read_bytes(), type=Evaluation)


@pytest.fixture
def asked(monkeypatch, record):
    """What the job for single targets was called with; it answers with the record."""
    calls = []

    def job(path, data, split, progress, **more):
        calls.append((path, data, split, more))
        return [msgspec.structs.replace(record, views=more["views"])]

    monkeypatch.setattr("econet.jobs.evaluate.evaluate", job)
    return calls


@pytest.fixture
def averaged(monkeypatch, record):
    """What the job for ensembles was called with; it answers with a tuned one."""
    members = (
        Member(file="../a/model.onnx", sha256="a" * 64, weight=0.65, accuracy=0.88),
        Member(file="../b/model.onnx", sha256="b" * 64, weight=0.35, accuracy=0.8712),
    )
    search = WeightSearch(images=5000, accuracy=0.912, accuracy_equal=0.9085)
    answer = msgspec.structs.replace(
        record, subject="ensemble", ensemble=Ensemble(weighting="tuned", members=members, search=search)
    )
    calls = []

    def job(targets, data, wanted, folder, progress, **more):
        calls.append((targets, data, wanted, folder, more))
        return answer

    monkeypatch.setattr("econet.jobs.ensemble.evaluate_ensemble", job)
    return calls


def test_the_centre_of_the_test_images_is_read_unless_said_otherwise(econet, run_folder, asked):
    assert econet("evaluate", run_folder).code == 0
    assert asked == [(run_folder, None, "test", {"data_dir": None, "views": "centre", "runtime": None, "others": []})]


def test_ten_views_are_asked_for_and_named(econet, run_folder, asked):
    done = econet("evaluate", run_folder, "--views", "ten", "--data", "photos", "--split", "validation", "--skip-bad")
    ((_, data, split, more),) = asked
    assert (data.source, data.skip_bad, data.download) == ("photos", True, False)
    assert (split, more["views"]) == ("validation", "ten")
    assert done.out.startswith("1,000 test images of fashion-mnist, ten views of each, test read 2\n")


def test_several_are_measured_one_after_the_other_under_their_names(econet, run_folder, asked):
    file = run_folder / "model.int8.onnx"
    done = econet("evaluate", run_folder, file)
    assert [path for path, *_ in asked] == [run_folder, file]
    for name in (run_folder, file):
        assert f"{name}: 1,000 test images of fashion-mnist, test read 2\n" in done.out
    assert squeezed(done.out).count("model.int8.onnx int8 90.0 % 88.0 % to 91.7 %") == 2
    assert "was taken for" not in done.out
    printed = json.loads(econet("evaluate", run_folder, file, "--json").out)
    assert [each["target"] for each in printed["evaluations"]] == [str(run_folder), str(file)]
    assert printed["evaluations"][1]["accuracy"] == 0.9


def test_equal_logits_are_told_where_they_change_the_figure(econet, run_folder, record, monkeypatch):
    tied = msgspec.structs.replace(record, accuracy_ties_shared=0.8975)
    monkeypatch.setattr("econet.jobs.evaluate.evaluate", lambda *rest, **more: [tied])
    assert "shared among them, 89.75 % are right" in econet("evaluate", run_folder).out
    same = msgspec.structs.replace(record, accuracy_ties_shared=record.accuracy)
    monkeypatch.setattr("econet.jobs.evaluate.evaluate", lambda *rest, **more: [same])
    assert "shared among them" not in econet("evaluate", run_folder).out


def test_an_ensemble_prints_interval_members_and_where_its_weights_come_from(econet, run_folder, averaged, tmp_path):
    words = ("evaluate", run_folder, run_folder / "model.int8.onnx", "--ensemble", "tuned", "--views", "ten")
    done = econet(*words, "--out", tmp_path / "five")
    assert done.code == 0
    assert "ensemble int8 90.0 % 88.0 % to 91.7 %" in squeezed(done.out)
    assert "../a/model.onnx 0.65 88.00 % ../b/model.onnx 0.35 87.12 %" in squeezed(done.out)
    assert "weights found on 5,000 validation images: 91.20 % there, with equal ones 90.85 %" in done.out
    assert "was taken for Coat" in done.out
    ((targets, data, wanted, folder, _),) = averaged
    assert (targets, data, folder) == ([run_folder, run_folder / "model.int8.onnx"], None, tmp_path / "five")
    assert (wanted.split, wanted.views, wanted.weighting) == ("test", "ten", "tuned")


def test_an_ensemble_in_json_is_one_record_and_its_folder(econet, run_folder, averaged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = econet("evaluate", run_folder, run_folder / "model.int8.onnx", "--ensemble", "equal", "--json", "--quiet")
    printed = json.loads(done.out)
    (one,) = printed["evaluations"]
    assert [each["weight"] for each in one["ensemble"]["members"]] == [0.65, 0.35]
    assert printed["folder"] == str(averaged[0][3])
    assert Path(printed["folder"]).match("runs/fashion-mnist-ensemble-*")
    assert done.err == ""


def test_a_folder_without_an_ensemble_is_refused(econet, run_folder, tmp_path):
    done = econet("evaluate", run_folder, "--out", tmp_path / "five")
    assert done.code == 2
    assert "error: --out was given without --ensemble" in done.err


@pytest.mark.parametrize(("option", "word"), [("--views", "tenn"), ("--ensemble", "tune")])
def test_a_misspelt_choice_is_answered_with_the_nearest(econet, run_folder, option, word):
    done = econet("evaluate", run_folder, option, word)
    assert done.code == 2
    assert "did you mean" in done.err


def test_no_target_is_a_matter_of_usage(econet):
    assert econet("evaluate").code == 2
