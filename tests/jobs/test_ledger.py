"""`ledger`: steps that add up to the whole, the layer to blame, and remedies chosen on validation images."""

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import econet
from econet.cli.main import main
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs.ledger import ledger
from econet.jobs.options import PruneOptions, QuantizeOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.run_data import load
from econet.measurement.accuracy import read_predictions
from econet.report.page import write_page
from econet.runs.artifact_records import Evaluation
from econet.runs.comparison_records import Comparison
from econet.runs.ledger_records import Ledger
from econet.runs.record import read_record, write_record
from econet.training.progress import Silent

pytest_plugins = ["small_comparison"]

QUICK = TrainOptions(epochs=1, batch_size=32, deterministic=True, threads=1)
pytestmark = pytest.mark.usefixtures("in_haste")


@pytest.fixture
def own_comparison(compared, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(compared.folder, folder)
    return folder


def points(step):
    return step.loss.difference.n01 - step.loss.difference.n10


def same_as_files(folder, record):
    """The whole, counted again from the answers that lie beside the first and the last file."""
    first, last = (folder / name for name in (record.steps[0].before, record.steps[-1].after))
    answers = [read_predictions(path.with_name(f"{path.stem}.predictions.npz")) for path in (first, last)]
    right = [each.predicted == each.truth for each in answers]
    return int(np.sum(right[1]) - np.sum(right[0]))


def test_a_comparison_tells_what_each_of_its_steps_cost_without_reading_again(compared):
    record = compared.record
    assert [step.kind for step in record.ledger] == ["distilled", "int8"]
    assert sum(points(step) for step in record.ledger) == record.difference.n01 - record.difference.n10
    assert record.ledger[0].before == "baseline/model.onnx"
    assert record.ledger[-1].after == "candidate/model.int8.onnx"
    assert record.test_reads == 1
    assert "What each step cost" in (compared.folder / "page.html").read_text()


def test_the_ledger_of_a_comparison_adds_up_names_layers_and_stands_on_its_page(own_comparison, some_pictures):
    dataset = load(some_pictures)
    path, record = ledger((own_comparison,), Silent(), dataset=dataset, images=60)
    assert path == own_comparison / "ledger.json"
    assert read_record(path, Ledger) == record
    assert sum(points(step) for step in record.steps) == record.whole.difference.n01 - record.whole.difference.n10
    assert record.whole.difference.n01 - record.whole.difference.n10 == same_as_files(own_comparison, record)
    assert record.data.split == "test"
    assert record.data.validation_images == 60
    assert record.steps[-1].layers
    rises = [layer.cross_entropy_rise for layer in record.steps[-1].layers]
    assert rises == sorted(rises, reverse=True)
    assert record.test_reads == 1
    page = (own_comparison / "page.html").read_text()
    assert "Ways to 8 bits" in page
    assert record.steps[-1].layers[0].layer in page


def test_the_remedy_with_the_best_validation_accuracy_is_the_one_that_ships(own_comparison, some_pictures):
    _, record = ledger((own_comparison,), Silent(), dataset=load(some_pictures), images=60)
    tried = [remedy for remedy in record.remedies if remedy.accuracy is not None]
    best = max(tried, key=lambda remedy: (remedy.accuracy, -remedy.cross_entropy))
    assert [remedy.name for remedy in record.remedies if remedy.chosen] == [best.name]
    assert record.steps[-1].name == f"8 bits, {best.name}"
    plain = best.name == "plain"
    assert record.steps[-1].after == f"candidate/model.int8{'' if plain else '.remedied'}.onnx"
    untried = [remedy for remedy in record.remedies if remedy.not_tried]
    assert [remedy.name for remedy in untried] == ["trained on with 8-bit rounding"]
    assert "econet quantize" in untried[0].not_tried


def test_the_images_are_read_once_however_often_one_asks(trained, clothes_data):
    run = trained("run", epochs=3)
    ledger((run.folder,), Silent(), dataset=clothes_data)
    evaluation = run.folder / "model.evaluation.json"
    first = evaluation.read_bytes()
    _, again = ledger((run.folder,), Silent(), dataset=clothes_data)
    assert evaluation.read_bytes() == first
    assert read_record(evaluation, Evaluation).test_reads == again.test_reads == 1


def test_a_layer_that_was_sabotaged_is_named(trained, clothes_data):
    """Every eighth filter of a layer is made huge and undone behind it: in float nothing changes, in 8 bits much."""
    run = trained("run", epochs=4, model="alexnet_small", lr=0.01)
    weights = load_file(run.weights_path)
    earlier, later = [name for name, value in weights.items() if value.ndim == 4][1:3]
    for place in range(0, len(weights[earlier]), 8):
        weights[earlier][place] *= 1000
        weights[earlier.replace("weight", "bias")][place] *= 1000
        weights[later][:, place] /= 1000
    save_file({name: value.contiguous() for name, value in weights.items()}, run.weights_path)
    finished = json.loads(run.finished_path.read_text())
    finished["weights_sha256"] = sha256_of(run.weights_path)
    run.finished_path.write_text(json.dumps(finished))
    _, record = ledger((run.folder,), Silent(), dataset=clothes_data)
    named = record.steps[-1].layers[0].layer
    assert named in (earlier.removesuffix(".weight"), later.removesuffix(".weight"))
    assert record.steps[-1].layers[0].cross_entropy_rise > 5 * abs(record.steps[-1].layers[2].cross_entropy_rise)
    assert any(named in sentence for sentence in record.sentences)


def test_a_pruned_and_quantized_run_brings_all_it_was_made_from(trained, clothes_data, tmp_path):
    teacher = trained("teacher", model="alexnet_small", lr=0.01)
    parent = trained("parent", teacher=teacher.folder, epochs=3)
    pruned = prune(parent, tmp_path / "pruned", clothes_data, PruneOptions(ratio=0.3, tuning=QUICK), Silent())
    asked = QuantizeOptions(epochs=1, batch_size=32, deterministic=True, threads=1)
    made = quantize(tmp_path / "quantized", pruned, clothes_data, asked, Silent())
    record = econet.ledger(made, data=clothes_data)
    assert [step.kind for step in record.steps] == ["distilled", "pruned", "quantized"]
    assert sum(points(step) for step in record.steps) == same_as_files(made.folder, record)
    assert [bool(step.layers) for step in record.steps] == [False, True, True]
    narrowed = {each.layer for each in pruned.pruning.layers if each.after < each.before}
    assert {each.layer for each in record.steps[1].layers} <= narrowed
    chosen = [remedy.name for remedy in record.remedies if remedy.chosen]
    assert chosen == ["trained on with 8-bit rounding"]
    assert not (pruned.folder / "model.int8.onnx").exists()


def test_several_runs_are_steps_in_the_order_given(trained, clothes_data):
    alone, taught = trained("alone"), trained("taught", seed=1)
    _, record = ledger((alone.folder, taught.folder), Silent(), dataset=clothes_data, proof="validation")
    assert [step.kind for step in record.steps] == ["trained", "int8"]
    assert record.steps[0].before == "../alone/model.onnx"
    assert record.data.split == "validation"
    assert record.test_reads == 0


def test_the_command_prints_both_tables_and_the_json_is_the_record(trained, clothes_folder, capsys):
    run = trained("run")
    words = ["ledger", str(run.folder), "--data-dir", str(clothes_folder), "--proof", "validation"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sentences"] == list(read_record(run.folder / "ledger.json", Ledger).sentences)
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "all together" in out
    assert "Way to 8 bits" in out
    assert "Validation" in out
    assert "From the first file to the last" in out


def test_bad_input_is_named_and_leaves_no_ledger(trained, clothes_data, clothes_folder, tmp_path, capsys):
    run = trained("run")
    with pytest.raises(UserError, match="--images 0 is out of range"):
        ledger((run.folder,), Silent(), dataset=clothes_data, images=0)
    assert main(["ledger", str(run.folder)]) == 2
    assert "belongs to other data" in capsys.readouterr().err
    assert main(["ledger", str(tmp_path / "nothing")]) == 2
    assert "is not a run" in capsys.readouterr().err
    assert main(["ledger"]) == 2
    run.finished_path.unlink()
    assert main(["ledger", str(run.folder), "--data-dir", str(clothes_folder)]) == 2
    assert "is not finished" in capsys.readouterr().err
    assert not (run.folder / "ledger.json").exists()


def test_a_record_that_leads_round_in_a_circle_is_refused(trained, clothes_data):
    run = trained("run")
    config = json.loads(run.config_path.read_text())
    run.config_path.write_text(json.dumps({**config, "parent": "."}))
    with pytest.raises(UserError, match="is its own parent"):
        ledger((run.folder,), Silent(), dataset=clothes_data)


def test_a_candidate_that_was_a_file_has_no_steps(compared, tmp_path):
    folder = tmp_path / "given"
    shutil.copytree(compared.folder, folder)
    record = read_record(folder / "comparison.json", Comparison)
    sides = tuple(
        side if side.role != "candidate" else type(side)(**{**_fields(side), "run": None}) for side in record.sides
    )
    write_record(folder / "comparison.json", type(record)(**{**_fields(record), "sides": sides}))
    with pytest.raises(UserError, match="has no steps"):
        ledger((folder,), Silent())
    assert write_page(folder).exists()


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}
