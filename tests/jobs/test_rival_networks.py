"""The rivals' race: the same time, rates and settings for all, resumable, recorded whole, timed together."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from econet.deployment import parity
from econet.errors import UserError
from econet.files import sha256_of
from econet.jobs import rival_networks, rival_training, tables
from econet.jobs.rival_networks import RaceOptions, asked_of, paces_of, race
from econet.jobs.rival_training import images, open_race
from econet.measurement import latency
from econet.runs.folder import Run
from econet.runs.record import read_record
from econet.runs.records import MachineChoices
from econet.runs.rival_records import RivalResult, RivalsConfig, RivalTrial
from econet.training import machine
from econet.training.progress import Silent
from econet.training.setback import TrainingFailed

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "rivals_table.py"
# Pretended images a second: what they are given together with the time makes so few steps that the test is quick.
PACE = {"econet": 20_000.0, "lenet5": 30_000.0}
TRAIN, VALIDATION, BATCH = 288, 32, 128


def choices(name):
    return MachineChoices(
        device="cpu",
        threads=1,
        precision="fp32",
        compile=False,
        processes=1,
        deterministic=False,
        measured_images_per_s={"1 thread fp32": PACE[name]},
        cpu="a core",
        capability="none",
    )


@dataclass(frozen=True)
class Raced:
    """A finished race: its folder, where it was published, what was asked, and the words of its workers."""

    home: Path
    recipes: Path
    options: RaceOptions
    results: list[RivalResult]
    words: list[list[str]]

    @property
    def config(self):
        return read_record(self.home / "rivals.json", RivalsConfig)


def here(words_seen):
    """Workers in this process, one after the other."""

    def run_workers(module, words, count, told):
        assert module == "econet.jobs.rival_training"
        for each in words:
            words_seen.append(list(each))
            assert rival_training.main(each) == 0

    return run_workers


@pytest.fixture
def in_process(monkeypatch):
    """Workers in this process, in haste; gives the words they were started with."""
    return hurried(monkeypatch)


def hurried(patch):
    seen: list[list[str]] = []
    patch.setattr(rival_networks, "run_workers", here(seen))
    patch.setattr(rival_networks, "_choices", lambda home, asked, name, dataset: (choices(name), 0.5))
    patch.setattr(rival_networks, "TRIAL_SHARE", 1.0)
    patch.setattr(latency, "benchmark", partial(latency.benchmark, rounds=3, round_seconds=0.001))
    patch.setattr(latency, "_THROUGHPUT_SECONDS", 0.001)
    patch.setattr(latency, "peak_memory_bytes", lambda *_: 50_000_000)
    patch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
    return seen


@pytest.fixture(scope="module")
def raced(clothes_folder, tmp_path_factory):
    """econet and lenet5, two rates each and one seed, on 288 real pictures."""
    folder = tmp_path_factory.mktemp("race")
    with pytest.MonkeyPatch.context() as patch:
        words = hurried(patch)
        patch.setattr(rival_training, "recipes_folder", lambda: folder / "recipes")
        options = RaceOptions(
            data="fashion-mnist", networks=tuple(PACE), time_s=0.15, rates=2, optimizer="adamw", data_dir=clothes_folder
        )
        results = race(folder / "rivals", options, Silent(), record=True)
    return Raced(folder / "rivals", folder / "recipes", options, results, words)


def test_every_network_is_given_the_same_time_of_a_core(raced):
    for name, pace in raced.config.paces.items():
        for plan in (pace.trial, pace.whole):
            # An epoch is two batches, and a validation, which costs 0.3 of learning its images.
            spent = (plan.steps * BATCH + plan.steps / 2 * 0.3 * VALIDATION) / PACE[name]
            step = BATCH / PACE[name]
            assert 0.15 * 0.94 - 2 * step < spent <= 0.15 * 0.94
    assert raced.config.paces["lenet5"].whole.steps > 1.4 * raced.config.paces["econet"].whole.steps
    for result in raced.results:
        assert result.training.steps == raced.config.paces[result.network].whole.steps


def test_every_network_tries_the_same_rates_and_differs_in_nothing_else(raced):
    assert [each.network for each in raced.results] == ["econet", "lenet5"]
    for result in raced.results:
        # Around adamw's usual 0.002, three times apart.
        assert [trial.lr for trial in result.trials] == [0.0012, 0.0035]
        best = max(result.trials, key=lambda trial: (trial.validation_accuracy, -trial.lr))
        assert result.settings.lr == best.lr
    first, second = (msgspec.structs.replace(each.settings, lr=0.0) for each in raced.results)
    assert first == second
    for result in raced.results:
        for path in raced.home.glob(f"{result.network}/trials/*/config.json"):
            tried = Run(path.parent).config
            assert msgspec.structs.replace(tried.training, lr=0.0) == first
            assert tried.plan == raced.config.paces[result.network].trial
            assert (tried.seed, tried.machine.threads) == (rival_training.TRIAL_SEED, 1)


def test_a_result_holds_what_its_files_and_its_run_say_and_reads_the_test_images_once(raced):
    for result in raced.results:
        run = Run(raced.home / result.network / "seed-0" / f"lr-{result.settings.lr:g}")
        assert (run.config.training, run.finished) == (result.settings, result.training)
        for precision, export, evaluation, benchmark in zip(
            ("fp32", "int8"), result.exports, result.evaluations, result.benchmarks, strict=True
        ):
            path = run.artifact(precision)
            assert export.sha256 == sha256_of(path)
            assert benchmark.bytes == path.stat().st_size
            assert (evaluation.data.split, evaluation.data.images, evaluation.test_reads) == ("test", 100, 1)
            assert {export.precision, evaluation.precision, benchmark.precision} == {precision}
    assert len({result.timed for result in raced.results}) == 1
    assert raced.results[0].timed is not None


def test_what_is_published_is_the_result_whole_and_the_page_is_made_of_it_alone(raced, monkeypatch):
    for result in raced.results:
        path = raced.recipes / "results" / "rivals" / result.network / "seed-0.json"
        assert read_record(path, RivalResult) == result
    monkeypatch.setattr(tables, "recipes_folder", lambda: raced.recipes)
    (raced.recipes.parent / "docs").mkdir(exist_ok=True)
    (raced.recipes.parent / "README.md").write_text("")
    made = {path.name: text for path, text in tables.pages().items()}
    for result in raced.results:
        accuracy = f"{100 * result.evaluations[1].accuracy:.2f} %"
        line = next(line for line in made["rivals.md"].splitlines() if line.startswith(f"| `{result.network}` | 1 |"))
        assert accuracy in line
        assert f"| {result.benchmarks[1].bytes:,} |" in line
        assert f">{result.network}</text>" in made["rivals.svg"]


def test_a_finished_race_trains_nothing_again_and_times_all_of_it_again(raced, in_process):
    weights = {path: path.stat().st_mtime_ns for path in raced.home.rglob("weights.safetensors")}
    again = race(raced.home, raced.options, Silent())
    assert in_process == []
    assert {path: path.stat().st_mtime_ns for path in raced.home.rglob("weights.safetensors")} == weights
    assert [each.training for each in again] == [each.training for each in raced.results]


def test_a_race_goes_on_with_what_is_missing_and_nothing_else(raced, in_process, tmp_path):
    home = tmp_path / "rivals"
    shutil.copytree(raced.home, home)
    (lost,) = (trial for trial in home.glob("lenet5/trials/*/outcome.json") if "0.0012" in str(trial))
    before = read_record(lost, RivalTrial)
    lost.unlink()
    (home / "econet" / "seed-0" / "result.json").unlink()
    weights = {path: path.stat().st_mtime_ns for path in home.rglob("weights.safetensors")}
    race(home, raced.options, Silent())
    data = ["--data-dir", str(raced.options.data_dir)]
    assert in_process == [
        [str(home), "lenet5", "--lr", "0.0012", *data],
        [str(home), "econet", "--seed", "0", *data],
    ]
    assert read_record(lost, RivalTrial) == before  # its run was finished: read, not trained again
    assert {path: path.stat().st_mtime_ns for path in home.rglob("weights.safetensors")} == weights


def test_more_seeds_of_one_network_keep_its_rate_and_leave_the_others_alone(raced, in_process, tmp_path):
    home = tmp_path / "rivals"
    shutil.copytree(raced.home, home)
    results = race(home, raced.options, Silent(), only=["lenet5"], seeds=2)
    assert [each[1:4] for each in in_process] == [["lenet5", "--seed", "1"]]
    assert [(each.network, each.seed) for each in results] == [("econet", 0), ("lenet5", 0), ("lenet5", 1)]
    assert results[2].settings.lr == results[1].settings.lr
    assert results[2].training.weights_sha256 != results[1].training.weights_sha256
    assert len({each.timed for each in results}) == 1


def test_where_the_whole_training_fails_the_next_best_rate_takes_its_turn(raced, tmp_path, monkeypatch):
    home = tmp_path / "rivals"
    shutil.copytree(raced.home, home)
    shutil.rmtree(home / "lenet5" / "seed-0")
    begun = open_race(home, raced.options.data_dir)
    best, other = rival_training.ranked(begun, "lenet5")
    whole = rival_training.train

    def failing(folder, dataset, options, *arguments, **named):
        if options.lr == best.lr:
            raise TrainingFailed("it diverged", "the loss became inf", "a lower --lr")
        return whole(folder, dataset, options, *arguments, **named)

    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr(rival_training, "train", failing)
    result = rival_training.run_seed(begun, "lenet5", 0, Silent())
    assert result.settings.lr == other.lr
    assert "the loss became inf" in result.warnings[0]


def test_an_int8_file_that_breaks_its_parity_is_measured_all_the_same_and_told(raced, tmp_path, monkeypatch):
    home = tmp_path / "rivals"
    shutil.copytree(raced.home, home)
    shutil.rmtree(home / "econet" / "seed-0")
    monkeypatch.setattr(parity, "INT8_LEAST_AGREEMENT", 1.1)
    result = rival_training.run_seed(open_race(home, raced.options.data_dir), "econet", 0, Silent())
    assert [each.precision for each in result.exports] == ["fp32"]
    assert [each.subject for each in result.evaluations] == ["model.onnx", "model.int8.failed.onnx"]
    assert result.warnings[0].startswith("static int8 breaks its parity")


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"time_s": 0.3}, "time_s was 0.15, not 0.3"), ({"optimizer": "sgd"}, "optimizer was adamw, not sgd")],
)
def test_another_race_in_the_same_folder_is_refused(raced, changed, words):
    with pytest.raises(UserError, match="other settings") as refused:
        race(raced.home, replace(raced.options, **changed), Silent())
    assert words in refused.value.why


def test_what_cannot_be_is_refused_before_anything_is_measured(tmp_path):
    for options, named in (
        (RaceOptions(networks=("econet", "resnet9")), {}),
        (RaceOptions(), {"only": ["resnet_small"]}),
        (RaceOptions(rates=0), {}),
        (RaceOptions(time_s=-1.0), {}),
        (RaceOptions(), {"seeds": 0}),
    ):
        with pytest.raises(UserError):
            race(tmp_path / "rivals", options, Silent(), **named)
    assert not (tmp_path / "rivals").exists()


def test_the_pace_is_measured_in_cpu_time_of_real_steps(clothes_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "TRIAL_SECONDS", 0.001)
    monkeypatch.setattr(machine, "PLAN_SECONDS", 0.001)
    options = RaceOptions(data="fashion-mnist", networks=("lenet5",), time_s=60.0)
    began = time.process_time()
    paces = paces_of(tmp_path, asked_of(options, tmp_path), images("fashion-mnist", clothes_folder), Silent())
    spent = time.process_time() - began
    pace = paces["lenet5"]
    assert len(pace.rounds) == 3
    assert sorted(pace.rounds)[1] == pace.images_per_s
    # At least one step of each round fits into all the CPU time there was.
    assert pace.images_per_s > BATCH / spent
    assert 0 < pace.core_share < 1.5
    assert pace.whole.steps > 5 * pace.trial.steps


@pytest.mark.slow
def test_a_killed_race_goes_on_and_its_workers_end_with_it(clothes_folder, tmp_path):
    home = tmp_path / "rivals"
    command = [sys.executable, str(PROGRAM), "--data", "fashion-mnist", "--data-dir", str(clothes_folder)]
    command += ["--time", "9s", "--rates", "2", "--networks", "lenet5", "--workers", "2", "--out", str(home)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(home.glob("lenet5/trials/*/config.json")) and first.poll() is None:
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not list(home.glob("lenet5/seed-0/*"))
    fixed = (home / "rivals.json").read_bytes()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "# EcoNet beside the rivals" in done.stdout
    assert (home / "rivals.json").read_bytes() == fixed
    result = read_record(home / "lenet5" / "seed-0" / "result.json", RivalResult)
    assert result.training.steps == result.pace.whole.steps
    assert [trial.lr for trial in result.trials] == [0.012, 0.035]
    assert [each.precision for each in result.benchmarks] == ["fp32", "int8"]
