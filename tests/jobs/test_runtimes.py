"""`--runtime`: the same file measured in another engine, its record beside the first one's, and the misfits refused."""

import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from econet.cli.main import main
from econet.deployment import parity
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.jobs.benchmark import benchmark
from econet.jobs.evaluate import evaluate, reads_before
from econet.jobs.export import export_run
from econet.jobs.export_target import export_as
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.measurement import latency
from econet.measurement.memory import peak_memory_bytes
from econet.runs.artifact_records import Benchmark, Evaluation
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]


@pytest.fixture(scope="module")
def exported(clothes_data, tmp_path_factory):
    """A small run with an ONNX file of each precision and one of LiteRT."""
    asked = TrainOptions(width=0.25, epochs=1, batch_size=48, deterministic=True, threads=1)
    run = train(tmp_path_factory.mktemp("exported") / "run", clothes_data, asked, Silent())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)  # of a network that learned next to nothing
        for int8 in (False, True):
            export_run(run, clothes_data, int8=int8, parity_drop=1.0, progress=Silent())
    export_as(run, to="litert", int8=False, parity_drop=1.0, progress=Silent(), dataset=clothes_data)
    return run


@pytest.fixture
def run(exported, tmp_path):
    shutil.copytree(exported.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def test_an_evaluation_in_another_runtime_is_kept_beside_the_first(run, clothes_folder):
    evaluate(run.folder, None, "test", Silent(), data_dir=clothes_folder)
    first = {path.name: path.read_bytes() for path in run.folder.iterdir() if "evaluation" in path.name}
    assert set(first) == {"model.evaluation.json", "model.int8.evaluation.json", "model.tflite.evaluation.json"}
    words = ["evaluate", str(run.folder), "--runtime", "openvino", "--data-dir", str(clothes_folder), "--quiet"]
    assert main(words) == 0
    for name, content in first.items():
        assert (run.folder / name).read_bytes() == content
    own = msgspec.json.decode(first["model.int8.evaluation.json"], type=Evaluation)
    other = read_record(run.folder / "model.int8.openvino.evaluation.json", Evaluation)
    assert (own.runtime, other.runtime) == ("onnxruntime", "openvino")
    assert (own.test_reads, other.test_reads) == (1, 2)
    assert reads_before(run.artifact("int8")) == 2
    assert other.torch_agreement.images == 100
    assert (run.folder / "model.int8.openvino.predictions.npz").exists()
    # OpenVINO reads no .tflite file: that one is passed over, and LiteRT's own record says who answered.
    assert not list(run.folder.glob("model.tflite.openvino*"))
    assert msgspec.json.decode(first["model.tflite.evaluation.json"], type=Evaluation).runtime == "litert"


def test_files_take_turns_in_the_runtime_asked_for_and_no_record_is_overwritten(run, in_haste, monkeypatch, capsys):
    files = [str(run.artifact(precision)) for precision in ("fp32", "int8")]
    benchmark([Path(file) for file in files])
    before = {path.name: path.read_bytes() for path in run.folder.glob("*.benchmark.json")}
    turns: list[str] = []
    whole = latency._Subject.take_round

    def take_round(subject) -> None:
        turns.append(f"{subject.path.name} {subject.engine.name}")
        whole(subject)

    monkeypatch.setattr(latency._Subject, "take_round", take_round)
    assert main(["benchmark", *files, "--runtime", "openvino", "--json", "--quiet"]) == 0
    names = ["model.onnx openvino", "model.int8.onnx openvino"]
    assert turns == [*names, *reversed(names), *names]
    printed = msgspec.json.decode(capsys.readouterr().out)["benchmarks"]
    assert [each["runtime"]["name"] for each in printed] == ["openvino"] * 2
    assert {name: (run.folder / name).read_bytes() for name in before} == before
    for name in ("model", "model.int8"):
        ours, theirs = (
            read_record(run.folder / f"{name}{runtime}.benchmark.json", Benchmark) for runtime in ("", ".openvino")
        )
        assert (ours.runtime.name, theirs.runtime.name) == ("onnxruntime", "openvino")
        assert (ours.macs, ours.parameters, ours.bytes) == (theirs.macs, theirs.parameters, theirs.bytes)


def test_a_format_s_own_runtime_may_be_named_and_changes_nothing(run, in_haste):
    tflite = run.artifact("fp32", "litert")
    for runtime in (None, "litert"):
        (found,) = benchmark([tflite], runtime)
        assert found.runtime.name == "litert"
    assert [path.name for path in run.folder.glob("*.benchmark.json")] == ["model.tflite.benchmark.json"]
    assert [each.runtime.name for each in benchmark([run.folder], "litert")] == ["litert"]


@pytest.mark.parametrize("command", ["benchmark", "evaluate"])
@pytest.mark.parametrize(
    ("file", "runtime", "words"),
    [
        ("model.tflite", "openvino", ("openvino cannot run", "model.tflite", "--runtime litert")),
        ("model.tflite", "onnxruntime", ("it runs .onnx files", "--runtime litert")),
        ("model.onnx", "litert", ("it runs .tflite files", "--runtime onnxruntime or openvino")),
        ("", "executorch", ("executorch cannot run", "it runs .pte files")),
        ("model.onnx", "openvno", ("unknown runtime 'openvno'", "did you mean openvino")),
    ],
)
def test_a_runtime_that_cannot_read_the_file_is_refused_with_what_fits(
    run, clothes_folder, capsys, command, file, runtime, words
):
    before = sorted(run.folder.iterdir())
    where = ["--data-dir", str(clothes_folder)] if command == "evaluate" else []
    assert main([command, str(run.folder / file), "--runtime", runtime, *where]) == 2
    said = capsys.readouterr().err
    for word in words:
        assert word in said
    assert sorted(run.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("file", "runtime", "module"),
    [("model.onnx", "openvino", "openvino"), ("model.tflite", "litert", "ai_edge_litert.interpreter")],
)
def test_a_runtime_that_is_not_installed_says_what_to_install(run, capsys, monkeypatch, file, runtime, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["benchmark", str(run.folder / file), "--runtime", runtime]) == 2
    assert f'pip install "econet[{runtime}]"' in capsys.readouterr().err
    assert not list(run.folder.glob("*.benchmark.json"))


def test_an_ensemble_and_a_file_that_is_no_network_s_take_no_runtime(
    run, clothes_data, clothes_folder, tmp_path, capsys
):
    assert main(["evaluate", str(run.folder), str(run.folder), "--ensemble", "equal", "--runtime", "openvino"]) == 2
    assert "--runtime was given with --ensemble" in capsys.readouterr().err
    fitted = train(tmp_path / "hog", clothes_data, TrainOptions(model="hog_linear", threads=1), Silent())
    with pytest.raises(UserError, match="openvino cannot run"):
        evaluate(fitted.folder, None, "validation", Silent(), data_dir=clothes_folder, runtime="openvino")
    with pytest.raises(UserError, match="litert cannot run"):
        Predictor(run.artifact("fp32"), runtime="litert")


def test_the_memory_is_that_of_the_runtime_asked_for(run):
    own, other = (peak_memory_bytes(run.artifact("int8"), runtime) for runtime in (None, "openvino"))
    assert 20_000_000 < own < 250_000_000
    assert 20_000_000 < other < 500_000_000
    assert own != other
