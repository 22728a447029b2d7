"""What commands print when they are done: one JSON object, or a screen to read."""

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from econet.deployment.parity import ParityBroken
from econet.deployment.predictor import Answer, Prediction
from econet.runs.artifact_records import Benchmark, Evaluation, Export, Parity, ValidationAccuracy
from econet.runs.folder import Run


def squeezed(text: str) -> str:
    """The text with every run of spaces as one: columns may move."""
    return re.sub(" +", " ", text)


def test_show_tells_a_run_in_one_screen(econet, run_folder):
    shown = econet("show", run_folder)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert len(shown.out.splitlines()) < 25
    for part in (
        "finished after 4 of 4 epochs in 2 min 10 s: validation accuracy 91.2 %",
        "fashion-mnist, 2 classes, 10 % held out for validation (seed 3)",
        "alexnet_small for 28x28x1",
        "▁▆██ validation accuracy 50.0 % to 91.2 %",
        "An x86 processor, cpu, 2 threads, bf16 (measured at the start)",
        "econet train fashion-mnist --epochs 4",
        "model.int8.onnx 95.9 KB 90.0 % (test)",
    ):
        assert part in squeezed(shown.out)


def test_show_json_is_one_object_with_the_records(econet, run_folder):
    shown = econet("show", run_folder, "--json")
    record = json.loads(shown.out)
    assert shown.err == ""
    assert record["config"]["seed"] == 7
    assert [line["validation_accuracy"] for line in record["history"]] == [0.5, 0.8, 0.9, 0.9125]
    assert record["artifacts"][0]["bytes"] == 95_860
    assert record["artifacts"][0]["evaluation"]["test_reads"] == 2
    assert record["artifacts"][0]["benchmark"] is None


def test_show_of_an_unfinished_run_tells_how_to_go_on(econet, run_folder):
    (run_folder / "finished.json").unlink()
    assert f"not finished: econet train --resume --out {run_folder}" in econet("show", run_folder).out
    assert json.loads(econet("show", run_folder, "--json").out)["finished"] is None


def test_train_prints_the_run_and_the_next_command(econet, run_folder, monkeypatch):
    asked = []
    monkeypatch.setattr("econet.jobs.run_data.load", lambda options: asked.append(options) or "data")
    monkeypatch.setattr(
        "econet.jobs.train.train",
        lambda folder, dataset, options, progress, resume: asked.append((folder, dataset, options)) or Run(folder),
    )
    done = econet("train", "photos", "--image-size", "64", "--from", "old", "--ema", "0.9", "--out", run_folder)
    assert done.code == 0
    assert done.out == (f"{run_folder}: validation accuracy 91.2 % after 4 epochs in 2 min 10 s, still improving\n")
    assert done.err.splitlines()[-1] == f"next: econet export {run_folder} --int8"
    data, (folder, dataset, options) = asked
    assert (data.source, data.image_size, data.validation) == ("photos", 64, 0.1)
    assert (folder, dataset) == (run_folder, "data")
    assert (options.start, options.ema, options.time_s, options.epochs) == (Path("old"), 0.9, 300.0, None)


def test_a_resumed_training_knows_its_data(econet, run_folder, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "econet.jobs.run_data.load_recorded", lambda config, **more: seen.append(config.source) or "data"
    )
    monkeypatch.setattr("econet.jobs.train.train", lambda folder, *rest, resume: seen.append(resume) or Run(folder))
    done = econet("train", "--resume", "--out", run_folder, "--json", "--quiet")
    assert seen == ["fashion-mnist", True]
    assert json.loads(done.out)["finished"]["epochs"] == 4
    assert done.err == ""


@pytest.mark.parametrize(("verdict", "code"), [("yes", 0), ("no", 1), ("undecided", 1)])
def test_compare_exits_with_its_answer(econet, comparison, monkeypatch, tmp_path, verdict, code):
    monkeypatch.setattr("econet.jobs.repeats.compare", lambda *rest, **more: comparison(verdict))
    done = econet("compare", "photos", "--out", tmp_path)
    assert done.code == code
    assert "baseline fp32 alexnet_small 90.0 % 77.8 K 1.91 M 95.9 KB 119 µs" in squeezed(done.out)
    assert f"{verdict.capitalize()}: " in done.out
    assert "warning: the baseline was still improving" in done.out
    following = done.err.splitlines()[-1]
    if verdict == "yes":
        assert following == f"next: econet predict {tmp_path}/candidate/model.int8.onnx IMAGE"
    else:
        assert following == "next: econet compare photos --width 2"  # it had stopped improving


def test_a_candidate_still_improving_is_given_more_time(econet, comparison, monkeypatch, tmp_path):
    made = comparison("no")
    going_on = {
        side: msgspec.structs.replace(side, training=msgspec.structs.replace(side.training, still_improving=True))
        for side in made.sides
        if side.role == "candidate"
    }
    made = msgspec.structs.replace(made, sides=tuple(going_on.get(side, side) for side in made.sides))
    monkeypatch.setattr("econet.jobs.repeats.compare", lambda *rest, **more: made)
    done = econet("compare", "photos", "--time", "5m", "--width", "0.5", "--out", tmp_path)
    assert done.err.splitlines()[-1] == "next: econet compare photos --width 0.5 --time 600s"


def test_compare_json_is_the_record_and_where_it_lies(econet, comparison, monkeypatch, tmp_path):
    asked = []
    made = comparison("yes")
    monkeypatch.setattr(
        "econet.jobs.repeats.compare", lambda folder, options, progress, resume: asked.append(options) or made
    )
    (tmp_path / "page.html").write_text("a page")
    done = econet("compare", "photos", "--seeds", "3", "--time", "2m", "--width", "0.5", "--out", tmp_path, "--json")
    record = json.loads(done.out)
    assert (record["verdict"], record["folder"]) == ("yes", str(tmp_path))
    assert record["page"] == str(tmp_path / "page.html")
    assert record["sides"] == json.loads(msgspec.json.encode(made.sides))
    (options,) = asked
    assert (options.data.source, options.seeds, options.time_s, options.width) == ("photos", 3, 120.0, 0.5)
    assert (options.baseline, options.candidate, options.teacher) == ("alexnet_small", "econet", "baseline")


def test_evaluate_prints_interval_classes_and_mistakes(econet, run_folder, monkeypatch):
    record = msgspec.json.decode((run_folder / "model.int8.evaluation.json").read_bytes(), type=Evaluation)
    monkeypatch.setattr("econet.jobs.evaluate.evaluate", lambda *rest, **more: [record])
    done = econet("evaluate", run_folder)
    assert done.out.startswith("1,000 test images of fashion-mnist, test read 2\n")
    assert "model.int8.onnx int8 90.0 % 88.0 % to 91.7 % 0.300 0.020" in squeezed(done.out)
    assert "[bold]Bag 600 86.7 %\nCoat 400 95.0 %\n" in squeezed(done.out)
    assert "   80 times [bold]Bag was taken for Coat\n" in done.out
    assert json.loads(econet("evaluate", run_folder, "--json").out)["evaluations"][0]["confusion"][1] == [80, 520]


def test_benchmark_hands_all_targets_to_one_measurement(econet, run_folder, monkeypatch, comparison):
    record: Benchmark = comparison("yes").sides[0].benchmark
    seen = []
    monkeypatch.setattr(
        "econet.jobs.benchmark.benchmark", lambda targets, runtime: seen.append(targets) or [record] * 2
    )
    done = econet("benchmark", run_folder, run_folder / "model.int8.onnx")
    assert seen == [[run_folder, run_folder / "model.int8.onnx"]]
    assert "77.8 K 1.91 M 95.9 KB 119 µs 200 µs 0.125 s 61.5 MB" in squeezed(done.out)
    assert "one thread, onnxruntime 1.31.1 on An x86 processor (2 cores)" in done.out


def test_a_broken_parity_is_a_no(econet, run_folder, monkeypatch):
    def broken(*rest: object, **more: object) -> None:
        raise ParityBroken("model.failed.onnx answers otherwise\n  worst: validation image 7")

    monkeypatch.setattr("econet.jobs.export_target.export_as", broken)
    done = econet("export", run_folder)
    assert done.code == 1
    assert done.out == "parity is broken: model.failed.onnx answers otherwise\n  worst: validation image 7\n"
    assert json.loads(econet("export", run_folder, "--json").out)["passed"] is False


def test_export_tells_file_and_parity(econet, run_folder, monkeypatch):
    asked = []
    record = Export(
        file="model.int8.onnx",
        format="onnx",
        bytes=95_860,
        sha256="c" * 64,
        precision="int8",
        parity=Parity(images=6000, files=64, top1_agreement=0.9987, max_logit_difference=0.02, passed=True),
        accuracy_validation=ValidationAccuracy(network=0.92, artifact=0.919),
    )
    monkeypatch.setattr("econet.jobs.export_target.export_as", lambda run, **more: asked.append(more) or record)
    done = econet("export", run_folder, "--int8", "--parity-drop", "0.01")
    assert (asked[0]["int8"], asked[0]["parity_drop"], asked[0]["data_dir"]) == (True, 0.01, None)
    assert "99.87 % same answers on 6,000 stored images and 64 files" in done.out
    assert "91.90 %, before export 92.00 %" in done.out


class Guess:
    """A predictor that answers the same for each picture it can read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answer(self, picture: str, top: int, coverage: float | None) -> Answer:
        from econet.images.decode import decode

        decode(Path(picture), 1)
        ranked = [Prediction("Coat", 0.75), Prediction("Bag", 0.25)]
        return Answer(ranked[:top], none_of_these=True, covering=None if coverage is None else ranked)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "coat.png"
    Image.fromarray(np.full((28, 28), 200, np.uint8)).save(path)
    return path


def test_predict_answers_for_each_image(econet, run_folder, picture, monkeypatch):
    monkeypatch.chdir(picture.parent)
    monkeypatch.setattr("econet.deployment.predictor.Predictor", Guess)
    done = econet("predict", run_folder, picture, picture, "--json", "--top", "1")
    record = json.loads(done.out)
    assert record["file"] == str(run_folder / "model.int8.onnx")
    coat = {"label": "Coat", "probability": 0.75}
    expected = {"image": str(picture), "predictions": [coat], "none_of_these": True, "covering": None}
    assert record["images"] == [expected] * 2
    shown = squeezed(econet("predict", run_folder, picture.name, "--coverage", "0.9").out)
    assert f"{picture.name} Coat 75.0 %\n Bag 25.0 %\n" in shown
    assert f"{picture.name}: none of these (looks unlike the training pictures)" in shown
    assert f"{picture.name}: with 90.0 % coverage Coat, Bag" in shown


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"GIF but not really", "not one of JPEG")])
def test_a_picture_that_cannot_be_read_is_named(econet, run_folder, tmp_path, monkeypatch, content, why):
    monkeypatch.setattr("econet.deployment.predictor.Predictor", Guess)
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    done = econet("predict", run_folder, path)
    assert (done.code, done.out) == (2, "")
    assert f"error: cannot read {path}\n  why: {why}" in done.err


def test_a_run_without_a_file_says_how_to_make_one(econet, run_folder, picture):
    (run_folder / "model.int8.onnx").unlink()
    done = econet("predict", run_folder, picture)
    assert done.code == 2
    assert f"try: econet export {run_folder} --int8" in done.err


def test_show_of_a_comparison_gives_its_table_again(econet, comparison, tmp_path):
    from econet.runs.record import write_record

    write_record(tmp_path / "comparison.json", comparison("undecided"))
    shown = econet("show", tmp_path)
    assert shown.code == 0
    assert "Undecided: " in shown.out


def test_recipe_prints_the_published_figures(econet, monkeypatch, tmp_path):
    asked = []
    figures = {
        "accuracy": 0.9351,
        "accuracy_low": 0.9301,
        "accuracy_high": 0.9398,
        "parameters": 77834,
        "macs": 5_900_000,
        "bytes": 95860,
        "latency_ms": 0.119,
    }
    monkeypatch.setattr("econet.jobs.recipes.run_recipe", lambda *rest, **more: asked.append((rest, more)) or figures)
    done = econet("recipe", "shirts", "--seed", "4", "--record", "--out", tmp_path)
    assert done.out == (
        "shirts, seed 4: accuracy 93.5 % (93.0 % to 94.0 %), 77.8 K parameters, 5.90 M MACs, 95.9 KB, 119 µs\n"
    )
    ((name, seed, _), more) = asked[0]
    assert (name, seed, more) == ("shirts", 4, {"folder": tmp_path, "record": True, "threads": None, "data_dir": None})


def test_recipe_alone_lists_the_recipes_there_are(econet):
    from econet.jobs.recipes import recipe_names

    assert list(json.loads(econet("recipe", "--json").out)["recipes"]) == recipe_names()
    assert all(name in econet("recipe").out for name in recipe_names())


def test_an_unknown_recipe_is_refused(econet):
    done = econet("recipe", "no-such-recipe")
    assert done.code == 2
    assert "error: unknown recipe 'no-such-recipe'" in done.err
