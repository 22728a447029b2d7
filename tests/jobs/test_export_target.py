"""`export --to`: files of other formats bear the same proof as the ONNX one, a sidecar, and are refused as honestly."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from econet.cli.main import main
from econet.deployment.artifact_file import open_artifact
from econet.deployment.parity import ParityBroken
from econet.deployment.predictor import Predictor
from econet.deployment.sidecar import Sidecar, sidecar_path
from econet.deployment.targets import target as target_room
from econet.deployment.targets.c_array import array_bytes
from econet.deployment.targets.catalog import TARGETS
from econet.errors import UserError
from econet.files import sha256_of, sha256_of_all
from econet.jobs import export_target as room
from econet.jobs.export_target import export_as
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.run_data import load
from econet.jobs.train import train
from econet.runs.artifact_records import Export
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
CLASSES = ("dress", "hat", "pants", "shoes", "shorts")


@pytest.fixture(scope="module")
def photos():
    return load(DataOptions(str(PHOTOS), image_size=32))


@pytest.fixture(scope="module")
def learned(photos, tmp_path_factory):
    """A run that has learned a little from photographs, so that int8 answers as the network does."""
    asked = TrainOptions(epochs=20, batch_size=10, lr=0.02, width=0.5, deterministic=True, threads=1)
    return train(tmp_path_factory.mktemp("learned") / "run", photos, asked, Silent())


@pytest.fixture
def run(learned, tmp_path):
    shutil.copytree(learned.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def exported(run, photos, to, *, int8=False):
    return export_as(run, to=to, int8=int8, parity_drop=0.02, progress=Silent(), dataset=photos)


@pytest.mark.parametrize("to", ["litert", "openvino"])
@pytest.mark.parametrize("int8", [False, True])
def test_a_file_of_another_format_is_proven_on_images_and_files_and_answers_from_itself(run, photos, to, int8):
    record = exported(run, photos, to, int8=int8)
    path = run.artifact("int8" if int8 else "fp32", to)
    assert record == read_record(path.with_name(f"{path.name}.export.json"), Export)
    assert (record.format, record.file, record.precision) == (to, path.name, "int8" if int8 else "fp32")
    assert record.parity.passed
    assert (record.parity.images, record.parity.files) == (10, 10)  # two validation photos of each of five classes
    assert record.parity.top1_agreement == 1 or int8
    assert record.sha256 == sha256_of_all([path.with_name(name) for name in record.files])
    assert run.artifacts() == [path]
    predictor = Predictor(path)
    assert (predictor.classes, predictor.preprocess) == (CLASSES, run.config.data.preprocess)
    picture = sorted(PHOTOS.glob("validation/*/*.jpg"))[0]
    assert len(predictor.predict(picture)) == 5


def test_the_numbers_of_a_file_are_those_of_the_onnx_file(run, photos):
    counts = {}
    for to in ("onnx", "litert", "openvino"):
        exported(run, photos, to, int8=True)
        file = open_artifact(run.artifact("int8", to))
        counts[to] = (file.macs(), file.parameters())
    assert counts["litert"] == counts["openvino"] == counts["onnx"]


def test_sidecars_say_what_the_format_cannot(run, photos):
    exported(run, photos, "litert", int8=True)
    path = run.artifact("int8", "litert")
    found = read_record(sidecar_path(path), Sidecar)
    assert path.with_name("model.int8.tflite.json").exists()
    assert (found.name, found.classes, found.precision) == ("econet", CLASSES, "int8")
    assert found.preprocess == run.config.data.preprocess
    assert (found.input.type, found.input.layout) == ("int8", "NHWC")
    # The pixel's code is the pixel less 128, and the code's value is the scaled pixel.
    assert found.input.zero_point == found.preprocess.offset - 128
    assert found.input.scale == pytest.approx(found.preprocess.scale, rel=1e-6)
    assert (found.output.type, found.output.holds) == ("int8", "logits")
    assert found.sha256 == sha256_of(path)
    assert "EcoNet" in found.provenance


def test_a_c_array_holds_the_very_litert_file_and_its_record_counts_that(run, photos):
    flat = exported(run, photos, "litert", int8=True)
    record = exported(run, photos, "c", int8=True)
    source = run.artifact("int8", "c")
    assert array_bytes(source.read_text()) == run.artifact("int8", "litert").read_bytes()
    assert record.files == ("model.int8.cc", "model.int8.h")
    assert record.bytes == flat.bytes
    assert record.parity == flat.parity
    assert source.with_name("model.int8.cc.json").exists()
    assert source not in run.artifacts()


def another_network(monkeypatch, to):
    """Let the target be made of another network's weights, as a broken translation would."""
    whole = TARGETS[to]

    def wrong(model, logits_range, stem):
        for tensor in model.graph.initializer:
            if tensor.raw_data and tensor.data_type == 3:
                tensor.raw_data = tensor.raw_data[::-1]
        return whole.make(model, logits_range, stem)

    monkeypatch.setitem(room.TARGETS, to, replace(whole, make=wrong))


@pytest.mark.parametrize("to", ["litert", "openvino", "c"])
def test_a_file_that_answers_otherwise_is_set_aside_and_its_cause_named(run, photos, monkeypatch, to):
    def mirrored(sample_of):
        return lambda *arguments: sample_of(*arguments)[:, ::-1]

    with monkeypatch.context() as patch:
        patch.setattr(room, "file_logits", mirrored(room.file_logits))
        with pytest.raises(ParityBroken, match="worst: validation image"):
            exported(run, photos, to, int8=True)
    suffix = run.artifact("int8", to).suffix
    assert (run.folder / f"model.int8.failed{suffix}").exists()
    assert not run.artifact("int8", to).exists()
    assert not list(run.folder.glob("*.export.json"))
    exported(run, photos, to, int8=True)
    assert run.artifact("int8", to).exists()


def test_the_cause_is_the_translation_where_the_onnx_file_is_right(run, photos, monkeypatch):
    whole = TARGETS["litert"]

    def wrong(model, logits_range, stem):
        broken = type(model)()
        broken.CopyFrom(model)
        for tensor in broken.graph.initializer:
            if len(tensor.dims) == 4:
                tensor.raw_data = tensor.raw_data[::-1]
        return whole.make(broken, logits_range, stem)

    monkeypatch.setitem(room.TARGETS, "litert", replace(whole, make=wrong))
    with pytest.raises(ParityBroken, match="likeliest cause: the translation: the ONNX file"):
        exported(run, photos, "litert", int8=True)


def test_a_missing_package_is_named_before_anything_is_done(run, photos, monkeypatch):
    monkeypatch.setattr(target_room, "find_spec", lambda name: None)
    before = sorted(run.folder.iterdir())
    for to, extra in (("litert", "litert"), ("c", "litert"), ("openvino", "openvino"), ("executorch", "executorch")):
        with pytest.raises(UserError) as refused:
            exported(run, photos, to)
        assert f"--to {to} needs" in refused.value.what
        assert refused.value.remedy == f'pip install "econet[{extra}]"'
    assert sorted(run.folder.iterdir()) == before


def test_a_whole_file_is_not_made_again_and_a_changed_one_is(run, photos):
    first = exported(run, photos, "openvino")
    path = run.artifact("fp32", "openvino")
    written = path.stat().st_mtime_ns
    assert exported(run, photos, "openvino") == first
    assert path.stat().st_mtime_ns == written
    path.with_suffix(".bin").write_bytes(bytes(10))
    assert exported(run, photos, "openvino").parity.passed
    assert path.with_suffix(".bin").stat().st_size > 10


def test_the_terminal_exports_to_another_format(run, capsys):
    assert main(["export", str(run.folder), "--to", "litert", "--int8", "--json"]) == 0
    said = msgspec.json.decode(capsys.readouterr().out)
    assert (said["format"], said["file"], said["parity"]["passed"]) == ("litert", "model.int8.tflite", True)
    assert main(["export", str(run.folder), "--to", "litret"]) == 2
    assert "litert" in capsys.readouterr().err


@pytest.mark.parametrize("int8", [False, True])
def test_the_onnx_file_is_proven_in_openvino_too_where_asked(run, photos, int8):
    record = export_as(
        run, to="onnx", int8=int8, parity_drop=0.02, progress=Silent(), dataset=photos, prove_in="openvino"
    )
    (proven,) = record.proven_in
    assert (proven.runtime, proven.parity.passed) == ("openvino", True)
    assert (proven.parity.images, proven.parity.files) == (10, 10)
    path = run.artifact("int8" if int8 else "fp32")
    assert read_record(path.with_name(f"{path.stem}.export.json"), Export) == record
    assert exported(run, photos, "onnx", int8=int8).proven_in == record.proven_in
    with pytest.raises(UserError, match="--prove-in openvino does not go with --to litert"):
        export_as(run, to="litert", int8=int8, parity_drop=0.02, progress=Silent(), prove_in="openvino")


def test_a_network_without_a_translation_is_refused_and_nothing_is_written(photos, tmp_path):
    asked = TrainOptions(epochs=1, batch_size=25, deterministic=True, threads=1, model="alexnet_small")
    made = train(tmp_path / "run", photos, replace(asked, switches={"lrn": True}), Silent())
    before = sorted(made.folder.iterdir())
    with pytest.raises(UserError, match="cannot become a LiteRT file") as refused:
        exported(made, photos, "litert", int8=True)
    assert "Sqrt" in refused.value.why
    assert sorted(made.folder.iterdir()) == before


def test_a_sidecar_is_not_taken_for_another_file(run, photos):
    exported(run, photos, "openvino")
    path = run.artifact("fp32", "openvino")
    content = bytearray(path.with_suffix(".bin").read_bytes())
    content[100] ^= 1
    path.with_suffix(".bin").write_bytes(bytes(content))
    with pytest.raises(UserError, match="belongs to another file"):
        Predictor(path)


def test_answers_are_the_same_in_every_format(run, photos):
    pixels = photos.validation.pixels
    answers = {}
    for to in ("onnx", "litert", "openvino"):
        exported(run, photos, to)
        answers[to] = Predictor(run.artifact("fp32", to)).logits(np.asarray(pixels))
    span = np.ptp(answers["onnx"])
    for to in ("litert", "openvino"):
        assert np.abs(answers[to] - answers["onnx"]).max() < 1e-4 * span
