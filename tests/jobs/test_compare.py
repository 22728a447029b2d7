"""`compare` on real pictures, end to end: what the record says is what the files give."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import norm

from econet.cli.main import main
from econet.deployment.parity import ParityBroken
from econet.errors import UserError
from econet.files import folder_lock, sha256_of
from econet.jobs import compare as compare_room
from econet.jobs import trained_sides
from econet.jobs.options import CompareOptions, DataOptions
from econet.jobs.repeats import compare
from econet.jobs.run_data import load
from econet.jobs.sides import contender
from econet.runs.check_records import Check
from econet.runs.comparison_records import Comparison, ComparisonConfig
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.plan import RESERVE
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"


class Killed(BaseException):
    """Stands for the end of the process."""


def raise_at_call(function, number):
    """`function` that dies at its call `number`, counted from 1."""
    calls = []

    def dying(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            raise Killed
        return function(*arguments, **named)

    return dying


def predictions(folder, side):
    path = folder / side.artifact
    with np.load(path.with_name(f"{path.stem}.predictions.npz")) as stored:
        return stored["truth"].astype(int), stored["predicted"].astype(int)


def side(record, role, precision):
    (found,) = [each for each in record.sides if (each.role, each.precision) == (role, precision)]
    return found


@pytest.fixture
def tiny(some_pictures):
    """Two sides that train in a second: a full econet against a narrow one, an epoch each."""
    return CompareOptions(
        some_pictures, baseline="econet", width=0.25, teacher="none", epochs=1, deterministic=True, threads=1
    )


def test_the_record_on_disk_is_the_one_returned(compared):
    assert read_record(compared.folder / "comparison.json", Comparison) == compared.record
    assert read_record(compared.folder / "config.json", ComparisonConfig).baseline == "alexnet_small"


def test_the_page_shows_both_maps_of_what_only_the_small_network_gets_wrong(compared):
    with np.load(compared.folder / "pictures.npz") as shown:
        mistakes = len(shown["candidate_wrong_number"])
        assert mistakes > 0
        for role in ("baseline", "candidate"):
            maps = shown[f"candidate_wrong_{role}_map"]
            assert maps.shape == (mistakes, 28, 28)
            assert maps.max() == 255
    page = (compared.folder / "page.html").read_text(encoding="utf-8")
    assert page.count("where the small network looked") == page.count("where the large network looked") == mistakes


def test_the_rows_are_both_sides_in_both_precisions_and_no_teacher_of_its_own(compared):
    rows = [(each.role, each.precision, each.name) for each in compared.record.sides]
    assert rows == [
        ("baseline", "fp32", "alexnet_small"),
        ("baseline", "int8", "alexnet_small"),
        ("candidate", "fp32", "econet"),
        ("candidate", "int8", "econet"),
    ]
    teacher = compared.run("candidate").config.training.teacher
    assert teacher.run == "../baseline"
    assert teacher.weights_sha256 == sha256_of(compared.folder / "baseline" / "weights.safetensors")


def test_accuracy_and_interval_are_those_of_the_predictions(compared):
    z = norm.ppf(0.975)
    for each in compared.record.sides:
        truth, predicted = predictions(compared.folder, each)
        share, n = (truth == predicted).mean(), len(truth)
        assert each.evaluation.accuracy == pytest.approx(share)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        assert each.evaluation.accuracy_interval == pytest.approx((centre - half, centre + half))
        assert each.evaluation.data.images == n == 200
        confusion = np.zeros((10, 10), int)
        np.add.at(confusion, (truth, predicted), 1)
        np.testing.assert_array_equal(each.evaluation.confusion, confusion)


def test_the_difference_pairs_candidate_int8_with_baseline_fp32(compared):
    record = compared.record
    truth, large = predictions(compared.folder, side(record, "baseline", "fp32"))
    again, small = predictions(compared.folder, side(record, "candidate", "int8"))
    np.testing.assert_array_equal(truth, again)
    found = record.difference
    assert found.n10 == ((large == truth) & (small != truth)).sum() > 0
    assert found.n01 == ((large != truth) & (small == truth)).sum() > 0
    assert found.images == 200
    assert found.candidate_minus_baseline == pytest.approx((small == truth).mean() - (large == truth).mean())
    assert found.interval[0] < found.candidate_minus_baseline < found.interval[1]


def test_the_verdict_follows_from_interval_and_margin(compared):
    low, high = compared.record.difference.interval
    expected = "yes" if low > -0.01 else "no" if high < -0.01 else "undecided"
    assert compared.record.verdict == expected
    assert compared.record.margin_for_yes == pytest.approx(max(0, -low))
    assert f"{100 * low:+.2f} to {100 * high:+.2f} points on 200 images" in compared.record.reason


def test_ratios_are_the_quotients_of_the_records(compared):
    record = compared.record
    small, large = side(record, "candidate", "int8").benchmark, side(record, "baseline", "fp32").benchmark
    assert record.ratios.macs == small.macs / large.macs <= 0.1
    assert record.ratios.parameters == small.parameters / large.parameters
    assert record.ratios.bytes == small.bytes / large.bytes
    assert record.ratios.cpu == small.cpu_s_per_1000 / large.cpu_s_per_1000
    low, high = record.ratios.latency_range
    assert 0 < low <= record.ratios.latency <= high
    same = record.ratios_same_precision
    assert same.bytes == small.bytes / side(record, "baseline", "int8").benchmark.bytes
    for each in record.sides:
        assert each.benchmark.bytes == (compared.folder / each.artifact).stat().st_size == each.export.bytes


def test_the_file_and_torch_agree_in_the_same_read_of_the_test_images(compared):
    for each in compared.record.sides:
        assert each.evaluation.torch_agreement.images == 200
        assert each.evaluation.test_reads == 1
        if each.precision == "fp32":
            assert each.evaluation.torch_agreement.top1_agreement == 1
            assert each.evaluation.torch_agreement.max_logit_difference < 1e-3
    assert compared.record.test_reads == 1


def test_both_sides_were_trained_alike_and_their_costs_are_recorded(compared):
    large, small = compared.run("baseline"), compared.run("candidate")
    for name in ("epochs", "batch_size", "augment", "lr", "optimizer", "schedule"):
        assert getattr(large.config.training, name) == getattr(small.config.training, name), name
    recorded = side(compared.record, "baseline", "fp32").training
    assert (recorded.epochs, recorded.images) == (4, 4 * (600 // 32) * 32)
    assert recorded.seconds == large.finished.seconds
    training = large.finished.seconds + small.finished.seconds
    assert compared.record.seconds.training == pytest.approx(training)
    assert compared.record.seconds.total > training
    assert compared.record.seconds.total == pytest.approx(sum(step.seconds for step in compared.record.steps))


def test_the_margin_that_these_images_can_prove_is_told_before_training(compared):
    told = compared.notes.index(next(line for line in compared.notes if "200 test images can prove" in line))
    begun = compared.notes.index(next(line for line in compared.notes if "training the baseline" in line))
    assert told < begun
    assert compared.record.provable_margin > 0.01
    assert f"{100 * compared.record.provable_margin:.2f} points at best; you asked for 1.00" in compared.notes[told]


def test_a_side_that_was_still_improving_is_a_warning_in_the_record(compared):
    for each in (side(compared.record, "baseline", "fp32"), side(compared.record, "candidate", "int8")):
        said = [text for text in compared.record.warnings if text.startswith(f"the {each.role} was still improving")]
        assert bool(said) == each.training.still_improving


def test_the_page_lies_there_and_needs_nothing_else(compared):
    page = (compared.folder / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    for outside in ("<script src", '<link rel="stylesheet"', "http://", "https://", "url(", "@import"):
        assert outside not in page.replace("http://www.w3.org", ""), outside


def test_a_second_comparison_in_the_folder_is_refused_and_changes_nothing(compared):
    before = sha256_of(compared.folder / "comparison.json")
    with pytest.raises(UserError, match="holds a comparison already") as refused:
        compare(compared.folder, compared.options, Silent())
    assert "--resume" in refused.value.remedy
    assert sha256_of(compared.folder / "comparison.json") == before


def test_a_finished_comparison_is_not_done_again_by_resume(compared, notes):
    before = {path: path.stat().st_mtime_ns for path in compared.folder.rglob("*") if path.name != ".lock"}
    assert compare(compared.folder, compared.options, notes, resume=True) == compared.record
    assert any("nothing left to do" in line for line in notes.lines)
    files = {path: time for path, time in before.items() if path.is_file()}
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.mark.parametrize(
    ("room", "function", "call"),
    [
        (trained_sides, "train", 2),
        (trained_sides, "export_run", 3),
        (compare_room, "evaluate_artifacts", 1),
        (compare_room, "benchmark_artifacts", 1),
        (compare_room, "write_page", 1),
    ],
)
def test_resume_goes_on_at_the_first_unfinished_step(tiny, tmp_path, monkeypatch, in_haste, room, function, call):
    folder = tmp_path / "comparison"
    whole = getattr(room, function)
    monkeypatch.setattr(room, function, raise_at_call(whole, call))
    with pytest.raises(Killed):
        compare(folder, tiny, Silent())
    made = [path for name in ("weights.safetensors", "*.onnx", "finished.json") for path in folder.rglob(name)]
    assert made
    before = {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in made}
    monkeypatch.setattr(room, function, whole)
    record = compare(folder, tiny, Silent(), resume=True)
    assert {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in made} == before
    assert (folder / "page.html").is_file()
    assert len(record.sides) == 4
    training = sum(Run(folder / role).finished.seconds for role in ("baseline", "candidate"))
    assert record.seconds.training == pytest.approx(training)
    assert record.seconds.total > training


def test_a_resumed_comparison_keeps_what_was_asked_when_it_began(tiny, tmp_path, monkeypatch, in_haste, notes):
    folder = tmp_path / "comparison"
    with monkeypatch.context() as patch:
        patch.setattr(compare_room, "evaluate_artifacts", raise_at_call(None, 1))
        with pytest.raises(Killed):
            compare(folder, tiny, Silent())
    other = replace(tiny, baseline="alexnet_small", margin=0.3)
    record = compare(folder, other, notes, resume=True)
    assert record.margin == 0.01
    assert record.sides[0].name == "econet"
    assert any("margin 0.01" in line and "0.3" in line for line in notes.lines)
    assert not any("training the baseline, alexnet_small" in line for line in notes.lines)


def test_a_comparison_of_other_data_is_not_resumed(tiny, tmp_path, compared):
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(compared.folder / "config.json", folder)
    other = replace(tiny, seed=5)
    with pytest.raises(UserError, match="belongs to other data"):
        compare(folder, other, Silent(), resume=True)
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_resume_in_an_empty_folder_starts_afresh_and_says_so(tiny, tmp_path, monkeypatch, notes):
    monkeypatch.setattr(trained_sides, "train", raise_at_call(None, 1))
    with pytest.raises(Killed):
        compare(tmp_path / "new", tiny, notes, resume=True)
    assert any("starting afresh" in line for line in notes.lines)


def test_two_writers_in_one_folder_are_one_too_many(tiny, tmp_path):
    with folder_lock(tmp_path), pytest.raises(UserError, match="another process is writing"):
        compare(tmp_path, tiny, Silent())
    assert not (tmp_path / "config.json").exists()


def test_proof_on_validation_leaves_the_test_images_unread(tiny, tmp_path, in_haste):
    record = compare(tmp_path / "c", replace(tiny, proof="validation"), Silent())
    assert record.proof == "validation"
    assert record.test_reads == 0
    assert {each.evaluation.data.split for each in record.sides} == {"validation"}
    assert record.difference.images == 200


def test_a_side_given_as_file_has_no_training_and_one_given_as_run_shows_its_own(compared, tmp_path, in_haste, tiny):
    home = tmp_path / "before"
    shutil.copytree(compared.folder, home)
    asked = replace(
        tiny, baseline=str(home / "baseline"), candidate=str(home / "candidate" / "model.int8.onnx"), width=None
    )
    record = compare(tmp_path / "c", asked, Silent())
    rows = [(each.role, each.precision) for each in record.sides]
    assert rows == [("baseline", "fp32"), ("baseline", "int8"), ("candidate", "int8")]
    assert record.sides[0].training.seconds == compared.run("baseline").finished.seconds
    assert record.sides[2].training is None
    assert record.sides[2].run is None
    assert record.sides[2].evaluation.torch_agreement is None
    assert record.seconds.training == 0
    assert record.difference.n10 == compared.record.difference.n10
    assert record.difference.interval == compared.record.difference.interval
    assert record.test_reads == 2  # the files were read once before
    assert not (tmp_path / "c" / "baseline").exists()


@pytest.mark.parametrize("teacher", ["none", "baseline", "econet", "RUN"])
def test_the_teacher_is_the_one_asked_for(compared, tmp_path, in_haste, tiny, teacher):
    home = tmp_path / "before"
    shutil.copytree(compared.folder, home)
    taught_by = str(home / "candidate") if teacher == "RUN" else teacher
    asked = replace(tiny, baseline=str(home / "baseline"), teacher=taught_by)
    record = compare(tmp_path / "c", asked, Silent())
    recorded = Run(tmp_path / "c" / "candidate").config.training.teacher
    teachers = [each.name for each in record.sides if each.role == "teacher"]
    expected = {
        "none": None,
        "baseline": home / "baseline",
        "econet": tmp_path / "c" / "teacher",
        "RUN": home / "candidate",
    }[teacher]
    if expected is None:
        assert recorded is None
    else:
        assert (tmp_path / "c" / "candidate" / recorded.run).resolve() == expected.resolve()
        assert recorded.weights_sha256 == sha256_of(expected / "weights.safetensors")
    assert teachers == (["econet"] if teacher in ("econet", "RUN") else [])


def test_a_baseline_file_cannot_teach_and_the_record_says_so(compared, tmp_path, in_haste, tiny):
    file = tmp_path / "large.onnx"
    shutil.copy(compared.folder / "baseline" / "model.onnx", file)
    record = compare(tmp_path / "c", replace(tiny, baseline=str(file), teacher="baseline"), Silent())
    assert any("cannot teach" in text for text in record.warnings)
    assert Run(tmp_path / "c" / "candidate").config.training.teacher is None
    assert (record.sides[0].training, record.sides[0].precision) == (None, "fp32")
    assert file.with_name("large.evaluation.json").is_file()


@pytest.mark.parametrize("teacher", ["baseline", "econet"])
def test_the_candidate_never_gets_more_time_than_the_baseline_had(tiny, tmp_path, monkeypatch, in_haste, teacher):
    asked = {}
    whole = trained_sides.train

    def remember(folder, dataset, options, progress, *, resume):
        asked[folder.name] = options.time_s
        return whole(folder, dataset, replace(options, time_s=None, epochs=1), progress, resume=resume)

    monkeypatch.setattr(trained_sides, "train", remember)
    options = replace(
        tiny, baseline="alexnet_small", teacher=teacher, epochs=None, time_s=1000.0, lr=1e-4, deterministic=False
    )
    compare(tmp_path / "c", options, Silent())
    had = Run(tmp_path / "c" / "baseline").finished.seconds
    own = Run(tmp_path / "c" / "teacher").finished.seconds if teacher == "econet" else 0
    assert asked["baseline"] == 500
    # The plan keeps its reserve, so that the candidate really trains for 90 % of the baseline's time, teacher included.
    assert (asked["candidate"] + own) * (1 - RESERVE) == pytest.approx(0.9 * had)
    if teacher == "econet":
        assert 0 < asked["teacher"] < 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidate": "ecomet"}, "unknown model 'ecomet'"),
        ({"baseline": "runs/gone"}, "--baseline runs/gone does not exist"),
        ({"teacher": "econte"}, "unknown model 'econte'"),
        ({"candidate": "alexnet_small", "width": 0.5}, "alexnet_small has no --width"),
        ({"candidate": "nowhere:network"}, "cannot import the model 'nowhere:network'"),
        ({"margin": 0.0}, "--margin 0 is out of range"),
        ({"seeds": 0}, "--seeds 0 is out of range"),
        ({"width": -1.0}, "--width -1 is out of range"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"proof": "training"}, "unknown proof 'training'"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_trained_or_written(tiny, tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        compare(tmp_path / "c", replace(tiny, **change), Silent())
    assert not (tmp_path / "c").exists()


def test_files_and_runs_that_cannot_take_part_are_told_before_training(tiny, tmp_path, compared):
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no network at all")
    for change, words in [
        ({"candidate": str(junk)}, r"junk\.onnx"),
        ({"teacher": str(compared.folder / "baseline" / "model.onnx")}, "cannot teach"),
        ({"baseline": str(compared.folder / "baseline"), "seed": 9}, "belongs to other data"),
        ({"teacher": str(tmp_path)}, "is not a run"),
    ]:
        with pytest.raises(UserError, match=words):
            compare(tmp_path / "c", replace(tiny, **change), Silent())
    assert not (tmp_path / "c").exists()


def test_a_folder_named_like_a_model_does_not_hide_the_model(tmp_path, monkeypatch):
    (tmp_path / "econet").mkdir()
    monkeypatch.chdir(tmp_path)
    assert contender("candidate", "econet").model == "econet"
    with pytest.raises(UserError, match="is not a run"):
        contender("candidate", "./econet")


def test_an_int8_baseline_that_answers_otherwise_costs_its_row_and_not_the_comparison(
    tiny, tmp_path, monkeypatch, in_haste
):
    whole = trained_sides.export_run

    def broken_baseline(run, dataset, *, int8, **more):
        if int8 and run.folder.name == "baseline":
            raise ParityBroken("model.int8.failed.onnx does not answer as the network does\n  worst: image 3")
        return whole(run, dataset, int8=int8, **more)

    monkeypatch.setattr(trained_sides, "export_run", broken_baseline)
    record = compare(tmp_path / "c", tiny, Silent())
    rows = [(each.role, each.precision) for each in record.sides]
    assert rows == [("baseline", "fp32"), ("candidate", "fp32"), ("candidate", "int8")]
    assert record.ratios_same_precision is None
    assert any("the baseline has no int8 file: model.int8.failed.onnx" in text for text in record.warnings)
    assert (tmp_path / "c" / "page.html").is_file()


def test_seeds_repeat_the_training_on_the_same_images(tiny, tmp_path, in_haste):
    folder = tmp_path / "c"
    record = compare(folder, replace(tiny, seeds=2, seed=3), Silent())
    assert [(each.folder, each.seed) for each in record.repeats] == [("seed-3", 3), ("seed-4", 4)]
    inner = [read_record(folder / each.folder / "comparison.json", Comparison) for each in record.repeats]
    assert [each.difference for each in inner] == [each.difference for each in record.repeats]
    assert inner[0].data.fingerprint == inner[1].data.fingerprint
    digests = {sha256_of(folder / name / "baseline" / "weights.safetensors") for name in ("seed-3", "seed-4")}
    assert len(digests) == 2
    verdicts = {each.verdict for each in inner}
    assert record.verdict == (verdicts.pop() if len(verdicts) == 1 else "undecided")
    assert record.seconds.training == pytest.approx(sum(each.seconds.training for each in inner))
    middle = sorted(inner, key=lambda each: each.difference.candidate_minus_baseline)[1]
    assert record.difference == middle.difference
    for each in record.sides:
        assert (folder / each.artifact).is_file()
    assert "seed 4" in (folder / "page.html").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="holds a comparison already"):
        compare(folder, replace(tiny, seeds=2, seed=3), Silent())
    with pytest.raises(UserError, match="holds a comparison already"):
        compare(folder, tiny, Silent())


def test_seeds_go_on_at_the_seed_that_was_not_finished(tiny, tmp_path, monkeypatch, in_haste):
    folder = tmp_path / "c"
    asked = replace(tiny, seeds=2)
    with monkeypatch.context() as patch:
        patch.setattr(trained_sides, "train", raise_at_call(trained_sides.train, 3))
        with pytest.raises(Killed):
            compare(folder, asked, Silent())
    first = folder / "seed-0" / "comparison.json"
    before = first.stat().st_mtime_ns
    record = compare(folder, asked, Silent(), resume=True)
    assert len(record.repeats) == 2
    assert first.stat().st_mtime_ns == before


def test_several_seeds_do_not_overwrite_a_comparison_of_one(tiny, compared):
    before = sha256_of(compared.folder / "comparison.json")
    with pytest.raises(UserError, match="comparison of one seed"):
        compare(compared.folder, replace(tiny, seeds=2), Silent(), resume=True)
    assert sha256_of(compared.folder / "comparison.json") == before


def test_the_pictures_of_the_proof_are_looked_for_in_training_first(compared):
    health = read_record(compared.folder / "check.json", Check)
    assert health.data.fingerprint == compared.record.data.fingerprint
    assert health.duplicates.searched == "test"
    assert compared.record.check.exact == 0
    assert compared.record.check.images == len(health.duplicates.leaks[0].places)
    assert compared.record.steps[0].name == "looking for test pictures in training"
    assert "Are the pictures of the proof new?" in (compared.folder / "page.html").read_text()


def test_the_record_written_reads_as_the_interface_names_its_fields(compared):
    raw = msgspec.json.decode((compared.folder / "comparison.json").read_bytes())
    promised = {"schema", "data", "proof", "margin", "provable_margin", "margin_for_yes", "sides", "difference"}
    promised |= {"ratios", "ratios_same_precision", "verdict", "reason", "steps", "repeats", "seconds", "test_reads"}
    assert promised | {"warnings"} <= raw.keys()
    assert {"role", "precision", "name", "run", "artifact", "evaluation", "benchmark", "training"} <= raw["sides"][
        0
    ].keys()
    assert {"candidate_minus_baseline", "interval", "method", "level", "n10", "n01", "images"} == raw[
        "difference"
    ].keys()
    assert (raw["difference"]["method"], raw["difference"]["level"]) == ("tango", 0.95)


def test_photographs_on_the_page_are_those_of_the_folder_and_the_folder_is_left_alone(tmp_path, in_haste, capsys):
    photos, folder = tmp_path / "photos", tmp_path / "c"
    shutil.copytree(PHOTOS, photos)
    (photos / "train" / "hat" / "torn.jpg").write_bytes(b"\xff\xd8\xff no more came")
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    words = ["compare", photos, "--image-size", "32", "--skip-bad", "--baseline", "econet", "--width", "0.25"]
    words += ["--teacher", "none", "--epochs", "1", "--deterministic", "--threads", "1", "--out", folder, "--json"]
    code = main([str(word) for word in words])
    printed = msgspec.json.decode(capsys.readouterr().out)
    assert code == (0 if printed["verdict"] == "yes" else 1)
    assert printed["page"] == str(folder / "page.html")
    record = read_record(folder / "comparison.json", Comparison)
    assert any("train/hat/torn.jpg" in text for text in record.warnings)
    assert "train/hat/torn.jpg" in (folder / "page.html").read_text(encoding="utf-8")
    lines = [msgspec.json.decode(line) for line in (folder / "data.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines if line["set_aside"]] == ["train/hat/torn.jpg"]
    test = load(DataOptions(str(photos), image_size=32, skip_bad=True)).test
    with np.load(folder / "pictures.npz") as shown:
        for role in ("baseline", "candidate"):
            chosen = shown[f"{role}_wrong_number"]
            np.testing.assert_array_equal(shown[f"{role}_wrong_pixels"], test.pixels[chosen])
            np.testing.assert_array_equal(shown[f"{role}_wrong_truth"], test.labels[chosen])
    assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before


def test_a_candidate_whose_file_answers_otherwise_ends_the_comparison_with_1(
    some_pictures, tmp_path, monkeypatch, in_haste, capsys
):
    def broken(run, dataset, *, int8, **more):
        if int8 and run.folder.name == "candidate":
            raise ParityBroken("model.int8.failed.onnx does not answer as the network does\n  worst: image 3")

    monkeypatch.setattr(trained_sides, "export_run", broken)
    words = ["compare", "fashion-mnist", "--data-dir", some_pictures.data_dir, "--baseline", "econet"]
    words += ["--width", "0.25", "--teacher", "none", "--epochs", "1", "--deterministic", "--threads", "1"]
    assert main([str(word) for word in (*words, "--out", tmp_path / "c")]) == 1
    said = capsys.readouterr().err
    assert "parity is broken: model.int8.failed.onnx does not answer" in said
    assert "Traceback" not in said
    assert not (tmp_path / "c" / "comparison.json").exists()


@pytest.mark.slow
def test_a_time_budget_is_kept_fairly_or_the_record_warns(some_pictures, tmp_path):
    asked = CompareOptions(some_pictures, time_s=60.0, batch_size=32, optimizer="adamw", lr=0.003, threads=1)
    record = compare(tmp_path / "c", asked, Silent())
    large, small = side(record, "baseline", "fp32").training, side(record, "candidate", "int8").training
    fair = large.seconds >= small.seconds
    assert fair != any("less than the" in text for text in record.warnings)
    assert Run(tmp_path / "c" / "baseline").config.training.time_s == 30
