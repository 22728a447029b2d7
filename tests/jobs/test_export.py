"""`export` proves the file it writes: what answers otherwise is set aside and named, whatever the reason."""

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from econet.cli.main import main
from econet.deployment import predictor as predictor_room
from econet.deployment.metadata import embed, read_metadata
from econet.deployment.parity import ParityBroken
from econet.deployment.predictor import Predictor
from econet.files import sha256_of
from econet.images.decode import decode
from econet.jobs import export as export_room
from econet.jobs.export import export, export_run
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.run_data import load
from econet.jobs.train import train
from econet.runs.artifact_records import Export
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

PHOTOS = Path(__file__).parents[1] / "fixtures" / "clothing"
FILES = ("model.onnx", "model.int8.onnx")


@pytest.fixture(scope="module")
def photos():
    return load(DataOptions(str(PHOTOS), image_size=32))


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """Runs of an epoch on photographs, by model."""
    home = tmp_path_factory.mktemp("trained")
    asked = TrainOptions(epochs=1, batch_size=16, lr=0.001, deterministic=True, threads=1)
    return {
        model: train(home / model, photos, replace(asked, model=model), Silent())
        for model in ("econet", "alexnet_small")
    }


@pytest.fixture
def run(trained, tmp_path):
    """A run of its own for a test that writes in it."""
    shutil.copytree(trained["econet"].folder, tmp_path / "run")
    return Run(tmp_path / "run")


def exported(run, dataset, *, int8=False):
    return export_run(run, dataset, int8=int8, parity_drop=0.02, progress=Silent())


def altered(monkeypatch, change):
    """Let every fp32 export come out as `change(model)` makes it."""
    whole = export_room.export_network

    def wrong(*arguments):
        model = whole(*arguments)
        return change(model) or model

    monkeypatch.setattr(export_room, "export_network", wrong)


@pytest.mark.parametrize("model", ["econet", "alexnet_small"])
def test_the_file_answers_as_the_network_on_stored_images_and_on_decoded_files(trained, photos, tmp_path, model):
    shutil.copytree(trained[model].folder, tmp_path / "run")
    record = exported(Run(tmp_path / "run"), photos)
    assert record == read_record(tmp_path / "run" / "model.export.json", Export)
    assert record.parity.passed
    assert (record.parity.images, record.parity.files) == (10, 10)  # two validation photos of each of five classes
    assert record.parity.top1_agreement == 1
    assert record.sha256 == sha256_of(tmp_path / "run" / "model.onnx")
    assert record.accuracy_validation.network == record.accuracy_validation.artifact


def test_the_photos_are_decoded_again_by_both_sides(run, photos, monkeypatch):
    read = {"training": [], "file": []}
    for side, room in (("training", export_room), ("file", predictor_room)):
        monkeypatch.setattr(
            room, "decode", lambda path, channels, seen=read[side]: seen.append(path) or decode(path, channels)
        )
    exported(run, photos)
    assert sorted(read["training"]) == sorted(PHOTOS.resolve().glob("validation/*/*.jpg"))
    assert sorted(read["file"]) == sorted(read["training"])


def test_int8_of_a_network_that_learned_something_passes(compared):
    for role in ("baseline", "candidate"):
        record = read_record(compared.folder / role / "model.int8.export.json", Export)
        assert record.parity.passed
        assert record.parity.top1_agreement >= 0.95
        assert record.precision == "int8"
        assert record.bytes < 0.4 * (compared.folder / role / "model.onnx").stat().st_size


def shift_offset(model):
    """The graph subtracts another gray level than training does."""
    (subtract,) = [node for node in model.graph.node if node.op_type == "Sub"]
    (offset,) = [tensor for tensor in model.graph.initializer if tensor.name == subtract.input[1]]
    offset.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(offset) + np.float32(30), offset.name))


def swap_colours(model):
    """Red and blue change places on their way into the graph, as a file of another library would have them."""
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == "image" else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), "order"))
    model.graph.node.insert(0, helper.make_node("Gather", ["image", "order"], ["swapped"], axis=1))


def record_another_scale(model):
    metadata = read_metadata(model, Path("model.onnx"))
    other = msgspec.structs.replace(metadata.preprocess, scale=metadata.preprocess.scale * 2)
    embed(model, msgspec.structs.replace(metadata, preprocess=other))


def record_other_classes(model):
    metadata = read_metadata(model, Path("model.onnx"))
    embed(model, msgspec.structs.replace(metadata, classes=metadata.classes[::-1]))


def permute_logits(model):
    """The last layer's rows in another order than the classes."""
    last = model.graph.node[-1]
    for tensor in model.graph.initializer:
        if tensor.name in last.input[1:]:
            tensor.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(tensor), 1, axis=0), tensor.name))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (shift_offset, "preprocessing: the graph computes"),
        (swap_colours, "preprocessing: with red and blue exchanged"),
        (record_another_scale, "preprocessing: `scale` is"),
        (permute_logits, "class order: logit"),
    ],
)
def test_an_altered_file_is_set_aside_and_its_likeliest_cause_named(run, photos, monkeypatch, change, cause):
    altered(monkeypatch, change)
    with pytest.raises(ParityBroken) as broken:
        exported(run, photos)
    message = str(broken.value)
    assert "model.failed.onnx does not answer as the network does" in message
    assert "worst: validation image" in message
    assert f"likeliest cause: {cause}" in message
    assert sorted(path.name for path in run.folder.glob("*.onnx")) == ["model.failed.onnx"]
    assert not (run.folder / "model.export.json").exists()
    assert run.artifacts() == []


def test_classes_recorded_in_another_order_break_parity(run, photos, monkeypatch):
    altered(monkeypatch, record_other_classes)
    with pytest.raises(ParityBroken, match="class order: 'shorts' stands for 'dress'"):
        exported(run, photos)
    assert not run.artifact("fp32").exists()


def test_a_preprocessing_record_that_only_the_predictor_reads_breaks_parity(run, photos, monkeypatch):
    def record_another_crop(model):
        metadata = read_metadata(model, Path("model.onnx"))
        other = msgspec.structs.replace(metadata.preprocess, resize="shorter-side", crop="centre")
        embed(model, msgspec.structs.replace(metadata, preprocess=other))

    altered(monkeypatch, record_another_crop)
    with pytest.raises(ParityBroken, match="preprocessing: `resize` is shorter-side in the file and stretch"):
        exported(run, photos)


def test_int8_with_absurd_ranges_fails(run, photos, monkeypatch):
    whole = export_room.activation_ranges
    monkeypatch.setattr(
        export_room,
        "activation_ranges",
        lambda model, images: {
            name: (1e4 * low - 1e4, 1e4 * high + 1e4) for name, (low, high) in whole(model, images).items()
        },
    )
    with pytest.raises(ParityBroken, match=r"model\.int8\.failed\.onnx"):
        exported(run, photos, int8=True)
    assert (run.folder / "model.int8.failed.onnx").is_file()
    assert not run.artifact("int8").exists()


def test_the_terminal_ends_with_1_where_parity_breaks(run, monkeypatch, capsys):
    altered(monkeypatch, shift_offset)
    assert main(["export", str(run.folder)]) == 1
    said = capsys.readouterr().out
    assert "parity is broken" in said
    assert "likeliest cause: preprocessing" in said
    assert not run.artifact("fp32").exists()


def test_the_terminal_exports_both_and_ends_with_0(compared, tmp_path, capsys, some_pictures):
    shutil.copytree(compared.folder / "baseline", tmp_path / "run")
    for file in FILES:
        (tmp_path / "run" / file).unlink()
    where = ["--data-dir", str(some_pictures.data_dir)]
    assert main(["export", str(tmp_path / "run"), "--json", *where]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["parity"]["passed"] is True
    assert main(["export", str(tmp_path / "run"), "--int8", *where]) == 0
    assert "parity holds" in capsys.readouterr().out
    for file in FILES:
        assert sha256_of(tmp_path / "run" / file) == sha256_of(compared.folder / "baseline" / file)


def test_a_whole_export_is_not_done_again_and_a_cut_one_is(run, photos):
    first = exported(run, photos)
    path = run.artifact("fp32")
    written = path.stat().st_mtime_ns
    assert exported(run, photos) == first
    assert path.stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:-100])
    again = exported(run, photos)
    assert again.sha256 == first.sha256 == sha256_of(path)


def test_an_export_without_its_record_is_done_again(run, photos):
    first = exported(run, photos)
    (run.folder / "model.export.json").unlink()
    assert exported(run, photos) == first


def test_a_process_that_dies_before_the_proof_leaves_no_artifact(run, photos, monkeypatch):
    def killed(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export_room, "check_parity", killed)
        with pytest.raises(KeyboardInterrupt):
            exported(run, photos)
    assert run.artifacts() == []
    exported(run, photos)
    assert [path.name for path in run.folder.glob("*.onnx")] == ["model.onnx"]


def test_a_broken_second_export_does_not_leave_the_first_file_as_if_proven(run, photos, monkeypatch):
    exported(run, photos)
    path = run.artifact("fp32")
    path.write_bytes(path.read_bytes()[:-100])
    altered(monkeypatch, shift_offset)
    with pytest.raises(ParityBroken):
        exported(run, photos)
    assert not path.exists()
    assert not (run.folder / "model.export.json").exists()


def test_export_loads_the_data_of_the_run_by_itself(run):
    record = export(run, int8=False, parity_drop=0.02, progress=Silent())
    assert (record.parity.images, record.parity.files) == (10, 10)


def test_the_file_says_what_it_is(run, photos):
    exported(run, photos)
    predictor = Predictor(run.artifact("fp32"))
    assert predictor.classes == ("dress", "hat", "pants", "shoes", "shorts")
    assert predictor.preprocess == run.config.data.preprocess
    assert (predictor.name, predictor.precision) == ("econet", "fp32")
    graph = onnx.load(run.artifact("fp32")).graph
    assert [(each.name, each.type.tensor_type.elem_type) for each in graph.input] == [("image", onnx.TensorProto.UINT8)]
    assert [each.name for each in graph.output] == ["logits"]
