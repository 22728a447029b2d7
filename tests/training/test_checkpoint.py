"""A damaged checkpoint is noticed, named and passed over for the one before."""

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor

from econet.errors import UserError
from econet.models import catalog
from econet.runs.folder import Run
from econet.training.averaging import Average
from econet.training.checkpoint import Counters, read_checkpoint, state_of, write_checkpoint
from econet.training.machine import placed
from econet.training.optimizers import Optimizers


class State:
    """All that a checkpoint holds, for one small network that took one step."""

    def __init__(self, training, seed: int) -> None:
        torch.manual_seed(seed)
        self.network = placed(catalog.build("econet", input_shape=(1, 8, 8), width=0.25), torch.device("cpu"))
        self.average = Average(self.network, 0.9)
        self.optimizers = Optimizers(self.network, replace(training, optimizer="muon"))
        self.network(torch.rand(4, 1, 8, 8)).square().mean().backward()
        self.optimizers.step(1.0)
        self.average.update(0)

    def write(self, run: Run, counters: Counters) -> None:
        write_checkpoint(run, state_of(self.network, self.average, self.optimizers), counters)

    def read(self, run: Run) -> tuple[Counters, str | None] | None:
        return read_checkpoint(run, self.network, self.average, self.optimizers)

    def tensors(self) -> dict[str, Tensor]:
        parts = (self.network.state_dict(), self.average.network.state_dict(), self.optimizers.state())
        return {f"{number}.{name}": value.clone() for number, part in enumerate(parts) for name, value in part.items()}


FIRST, SECOND = Counters(step=1, epoch=0, seconds=0.5), Counters(step=2, epoch=1, seconds=0.1 + 0.2, best=1 / 3)


@pytest.fixture(scope="module")
def first(usual):
    return State(usual, 1)


@pytest.fixture(scope="module")
def second(usual):
    return State(usual, 2)


@pytest.fixture
def third(usual):
    """A state to read into, which differs from both that were written."""
    return State(usual, 3)


@pytest.fixture
def run(first, second, tmp_path):
    """A run folder with the second state's checkpoint, and the first's as the one before."""
    made = Run(tmp_path)
    first.write(made, FIRST)
    second.write(made, SECOND)
    return made


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_brings_everything_back_to_the_bit(second, third, run):
    assert not same(third.tensors(), second.tensors())
    assert third.read(run) == (SECOND, None)
    assert same(third.tensors(), second.tensors())


def test_a_folder_without_a_checkpoint_has_none(third, tmp_path):
    assert third.read(Run(tmp_path)) is None


def test_every_flipped_bit_is_noticed_and_the_one_before_is_taken(first, third, run):
    whole = run.checkpoint_path.read_bytes()
    for position in (*range(0, 4_000, 211), *range(4_000, len(whole), 4_999), len(whole) - 1):
        broken = bytearray(whole)
        broken[position] ^= 1 << position % 8
        run.checkpoint_path.write_bytes(broken)
        counters, fault = third.read(run)
        assert counters == FIRST, position
        assert fault.startswith("checkpoint.safetensors: "), position
    assert same(third.tensors(), first.tensors())


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 100, 5_000, 20_000, -1])
def test_a_cut_checkpoint_is_passed_over(third, run, kept):
    run.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes()[:kept])
    counters, fault = third.read(run)
    assert counters == FIRST
    assert fault.startswith("checkpoint.safetensors: ")


def test_a_missing_newest_one_leaves_the_one_before(third, run):
    run.checkpoint_path.unlink()
    assert third.read(run) == (FIRST, None)


def test_two_damaged_ones_are_a_user_error_that_names_both(third, run):
    before = third.tensors()
    run.checkpoint_path.write_bytes(b"")
    run.previous_checkpoint_path.write_bytes(run.previous_checkpoint_path.read_bytes()[:-1])
    with pytest.raises(UserError) as caught:
        third.read(run)
    assert str(run.folder) in caught.value.what
    assert "checkpoint.safetensors: " in caught.value.why
    assert "checkpoint.previous.safetensors: " in caught.value.why
    assert same(third.tensors(), before)
