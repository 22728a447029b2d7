"""The training behind `prune` and `quantize`: each option moves the weights; what has no meaning there is refused."""

import json
import os
from dataclasses import replace

import pytest
from safetensors.torch import load_file

import econet
from econet.cli.main import main
from econet.errors import UserError
from econet.jobs.options import PruneOptions, QuantizeOptions, TrainOptions, check_prune_options
from econet.jobs.prune import prune
from econet.jobs.quantize import quantize
from econet.jobs.train import train
from econet.training.progress import Silent

SHORT = TrainOptions(epochs=1, batch_size=48, width=0.25, deterministic=True, threads=1)
TUNING = replace(SHORT, width=None)
# Options of the lesson, and what `config.json` then records, below `training` or its `teacher`.
LESSONS = [
    ({"distil": "mse"}, {"loss": "mse"}),
    ({"teacher_views": 1}, {"views": 1}),
    ({"mixup": 0.5}, {"mixup": 0.5}),
    ({"cutmix": 0.5}, {"cutmix": 0.5}),
    ({"augment": "strong"}, {"augment": "strong"}),
]


@pytest.fixture(scope="module")
def parents(clothes_data, tmp_path_factory):
    """Two finished runs of the same small network, from different seeds."""
    home = tmp_path_factory.mktemp("parents")
    return [train(home / str(seed), clothes_data, replace(SHORT, seed=seed), Silent()) for seed in (0, 1)]


@pytest.fixture(scope="module")
def made(parents, clothes_data, tmp_path_factory):
    """The finished run of a command with options, and its weights; the plain ones are made once."""
    kept: dict[str, tuple] = {}

    def of(command, teacher=None, **asked):
        name = f"{command} {teacher} {asked}"
        if name not in kept:
            folder = tmp_path_factory.mktemp("made") / "run"
            if command == "prune":
                options = PruneOptions(ratio=0.4, teacher=teacher or "parent", tuning=replace(TUNING, **asked))
                run = prune(parents[0], folder, clothes_data, options, Silent())
            else:
                same = {"epochs": 1, "batch_size": 48, "deterministic": True, "threads": 1}
                options = QuantizeOptions(teacher=teacher, **same, **asked)
                run = quantize(folder, parents[0], clothes_data, options, Silent())
            kept[name] = run, load_file(run.weights_path)
        return kept[name]

    return of


def differ(first, second) -> bool:
    return any(not value.equal(second[name]) for name, value in first.items())


@pytest.mark.parametrize("command", ["prune", "quantize"])
@pytest.mark.parametrize(("asked", "recorded"), LESSONS)
def test_an_option_is_recorded_and_moves_the_weights(made, command, asked, recorded):
    run, weights = made(command, **asked)
    training = json.loads(run.config_path.read_bytes())["training"]
    assert recorded.items() <= {**training["teacher"], **training}.items()
    assert differ(weights, made(command)[1])


@pytest.mark.parametrize("command", ["prune", "quantize"])
def test_several_teach_together(made, parents, command):
    run, weights = made(command, teacher=[each.folder for each in parents])
    assert [each.run for each in run.config.training.teacher.runs] == [
        os.path.relpath(each.folder, run.folder) for each in parents
    ]
    assert differ(weights, made(command)[1])


def test_a_pruned_network_matches_its_parent_s_features(made, parents, clothes_data, tmp_path):
    run, weights = made("prune", match_features=2.0)
    assert run.config.training.teacher.match_features == 2.0
    assert differ(weights, made("prune")[1])
    assert not [name for name in weights if "map" in name]
    with pytest.raises(UserError, match="--match-features was given without --teacher"):
        check_prune_options(PruneOptions(ratio=0.4, teacher="none", tuning=replace(TUNING, match_features=1.0)))


def test_what_has_no_meaning_there_is_refused_by_name(parents, clothes_data, tmp_path, capsys):
    asked = {"out": tmp_path / "x", "data": clothes_data, "epochs": 1}
    for name, value in (("width", 0.5), ("switches", {"lrn": True}), ("start", parents[1].folder)):
        with pytest.raises(UserError, match=f"`{name}` does not go with pruning"):
            econet.prune(parents[0], ratio=0.3, **asked, **{name: value})
    assert main(["quantize", str(parents[0].folder), "--match-features", "1"]) == 2
    assert "--match-features" in capsys.readouterr().err
    for command in (["prune", "--ratio", "0.3"], ["quantize"]):
        words = [*command, str(parents[0].folder), "--teacher", "none", "--teacher", str(parents[1].folder)]
        assert main(words) == 2
        assert "--teacher none and a run were both given" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("command", [["prune", "--ratio", "0.3"], ["quantize"]])
def test_the_terminal_hands_every_option_on(parents, clothes_folder, tmp_path, capsys, command):
    words = [*command, str(parents[0].folder), "--out", str(tmp_path / "run"), "--epochs", "1", "--deterministic"]
    lesson = ["--distil", "mse", "--mixup", "0.3", "--cutmix", "0.2", "--augment", "none", "--batch-size", "48"]
    teachers = [word for each in parents for word in ("--teacher", str(each.folder))]
    where = ["--data-dir", str(clothes_folder), "--threads", "1", "--json", "--quiet"]
    assert main([*words, *lesson, *teachers, *where]) == 0
    training = json.loads(capsys.readouterr().out)["config"]["training"]
    assert (training["mixup"], training["cutmix"], training["augment"]) == (0.3, 0.2, "none")
    assert (training["teacher"]["loss"], len(training["teacher"]["others"])) == ("mse", 1)
