"""A run that was stopped, by whatever means, ends with the same bits as one that was not."""

import json
import signal

import pytest

from econet.runs.records import MachineChoices
from econet.training import loop, machine
from econet.training.interruption import Interrupted


class Crash(Exception):
    """The process would have died here."""


def stopping_at(step: int, number: int):
    return lambda done: signal.raise_signal(number) if done == step else None


def crash(*arguments, **named):
    raise Crash


@pytest.fixture(scope="module")
def plain_weights():
    """The weights of uninterrupted runs by their options; each is trained once."""
    made = {}

    def weights(trained, **asked):
        key = str(sorted(asked.items()))
        if key not in made:
            made[key] = trained("plain", **asked).weights_path.read_bytes()
        return made[key]

    return weights


def epochs_of(run) -> list[tuple[int, int]]:
    rows = [json.loads(row) for row in run.history_path.read_text().splitlines()]
    return [(row["epoch"], row["step"]) for row in rows]


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "econet"},
        {"model": "alexnet_small", "batch_size": 45, "lr": 0.01},
        {"model": "econet", "optimizer": "adamw", "augment": "strong", "schedule": "cosine"},
    ],
    ids=["econet", "alexnet_small", "econet-adamw-strong"],
)
def test_a_signal_in_mid_epoch_leaves_a_run_that_ends_with_the_same_bits(trained, teller, plain_weights, asked):
    with pytest.raises(Interrupted) as caught:
        trained("run", teller(stopping_at(4, signal.SIGTERM)), **asked)
    assert caught.value.number == signal.SIGTERM
    run = trained("run", resume=True, **asked)
    assert run.weights_path.read_bytes() == plain_weights(trained, **asked)
    per_epoch = 271 // asked.get("batch_size", 24)
    assert epochs_of(run) == [(1, per_epoch), (2, 2 * per_epoch)]


def test_many_stops_are_as_good_as_one(trained, teller, plain_weights):
    for step in (1, 2, 11, 12, 21):
        with pytest.raises(Interrupted):
            trained("run", teller(stopping_at(step, signal.SIGINT)), resume=True)
    assert trained("run", resume=True).weights_path.read_bytes() == plain_weights(trained, model="econet")


def test_a_second_signal_is_left_to_the_system(trained, teller):
    def twice(step: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    # A shell that starts the tests in the background lets them ignore SIGINT; a person's terminal does not.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trained("run", teller(twice))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, inherited)


def test_a_crash_before_the_last_validation_is_made_up_for(trained, plain_weights, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "logits_of", crash)
        with pytest.raises(Crash):
            trained("run", every=0.0, epochs=1)
    run = trained("run", every=0.0, epochs=1, resume=True)
    assert epochs_of(run) == [(1, 11)]
    assert run.weights_path.read_bytes() == plain_weights(trained, epochs=1)


def test_a_crash_after_an_early_stop_does_not_train_on(trained, monkeypatch):
    asked = {"epochs": 50, "patience": 2, "lr": 1e-9}  # next to nothing is learned
    plain = trained("plain", **asked)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_whole", crash)  # which writes the finished weights
        with pytest.raises(Crash):
            trained("run", **asked)
    run = trained("run", resume=True, **asked)
    assert epochs_of(run) == epochs_of(plain)
    assert run.finished.stopped_early
    assert run.weights_path.read_bytes() == plain.weights_path.read_bytes()


def test_a_damaged_checkpoint_is_named_and_the_end_is_the_same(trained, teller, plain_weights, tmp_path):
    with pytest.raises(Interrupted):
        trained("run", teller(stopping_at(15, signal.SIGTERM)))
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    notes = teller()
    run = trained("run", notes, resume=True)
    assert any("checkpoint.safetensors" in note and "the one before" in note for note in notes.notes)
    assert run.weights_path.read_bytes() == plain_weights(trained, model="econet")
    assert epochs_of(run) == [(1, 11), (2, 22)]


def test_a_finished_run_is_left_alone(trained, teller):
    run = trained("run", epochs=1)
    before = {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir() if path.name != ".lock"}
    notes = teller(crash)
    trained("run", notes, epochs=1, resume=True)
    assert any("nothing left to train" in note for note in notes.notes)
    assert before == {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir() if path.name != ".lock"}


def test_a_time_budget_is_planned_once_and_the_resume_keeps_the_plan(trained, teller, monkeypatch):
    asked = {"epochs": None, "time_s": 2.0, "deterministic": False}
    measured = MachineChoices(
        device="cpu",
        threads=1,
        precision="fp32",
        compile=False,
        processes=1,
        deterministic=False,
        measured_images_per_s={"1 thread fp32": 400.0},
        cpu="a processor",
        capability="any",
    )
    monkeypatch.setattr(machine, "choose", lambda *arguments: measured)
    with pytest.raises(Interrupted):
        trained("run", teller(stopping_at(3, signal.SIGTERM)), **asked)
    monkeypatch.setattr(machine, "choose", crash)
    run = trained("run", resume=True, **asked)
    plan = run.config.plan
    assert 25 < plan.steps < 2.0 * 400 / 24
    assert run.finished.steps == plan.steps
    assert [epoch for epoch, _ in epochs_of(run)] == list(range(1, plan.epochs + 1))
    assert run.config.machine == measured
