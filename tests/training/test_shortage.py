"""Memory that runs out while training: what a batch takes, which one fits, and a run that can be gone on with."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from econet.errors import UserError
from econet.jobs import trial
from econet.training import loop, shortage

SAID = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9000 bytes."


@pytest.fixture
def only(monkeypatch):
    """Lets a step run out of memory on more than so many images, from its n-th call on in each room."""

    def limit(images: int, error: Exception, *, after: int = 0) -> None:
        for room in (loop, shortage, trial):
            learned, calls = room.learn, iter(range(1_000_000))

            def learn(network, teacher, pictures, *rest, learned=learned, calls=calls, room=room, **named):
                if len(pictures) > images and (next(calls) >= after or room is not loop):
                    raise error
                return learned(network, teacher, pictures, *rest, **named)

            monkeypatch.setattr(room, "learn", learn)

    return limit


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(SAID), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_batch_that_does_not_fit_is_told_with_one_that_does(trained, only, tmp_path, error):
    only(10, error)
    with pytest.raises(UserError) as caught:
        trained("run")
    assert caught.value.what == "out of memory with --batch-size 24"
    assert caught.value.remedy.startswith("--batch-size 6, which fits")  # 12 does not, 6 does
    assert f"econet train --resume --out {tmp_path / 'run'}" in caught.value.remedy
    assert "MB for its gradients" in caught.value.why
    assert str(error) in caught.value.why


def test_it_is_told_where_steps_are_measured_before_a_run_begins(trained, only, tmp_path):
    only(10, MemoryError())
    with pytest.raises(UserError, match="out of memory with --batch-size 24") as caught:
        trained("run", deterministic=False)
    assert caught.value.remedy.startswith("--batch-size 6, which fits")
    assert not (tmp_path / "run" / "config.json").exists()


def test_where_not_even_one_image_fits_smaller_ones_are_named(trained, only):
    only(0, RuntimeError(SAID))
    with pytest.raises(UserError, match="out of memory") as caught:
        trained("run")
    assert "not even one image fits" in caught.value.why
    assert "--image-size" in caught.value.remedy


def test_a_run_that_ran_out_of_memory_goes_on_to_the_same_bits(trained, only, monkeypatch):
    only(10, MemoryError(), after=8)
    with pytest.raises(UserError, match="out of memory"):
        trained("run", every=0.0)
    monkeypatch.undo()
    resumed, quiet = trained("run", every=0.0, resume=True), trained("quiet")
    assert resumed.weights_path.read_bytes() == quiet.weights_path.read_bytes()


def test_another_error_of_torch_stays_what_it_is(trained, only):
    only(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        trained("run")


def test_a_failure_without_a_word_is_a_shortage_only_where_a_smaller_batch_does_not_fail(trained, only):
    only(10, RuntimeError("could not create a primitive"))
    with pytest.raises(UserError, match="out of memory"):
        trained("run")
    only(0, RuntimeError("could not create a primitive"))
    with pytest.raises(RuntimeError, match="could not create a primitive"):
        trained("other")


def test_what_a_batch_keeps_is_counted_in_bytes_without_the_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def learn(count: int) -> None:
        network(torch.ones(count, 1, 28, 28)).sum().backward()

    # By hand: of each image its pixels for the first layer, and the 64 values behind the ReLU.
    assert shortage._bytes_kept(network, learn, 6) == 6 * 4 * (784 + 64)


LIMITED = """
import resource, sys
from pathlib import Path
from econet.data.load import load_data
from econet.errors import UserError
from econet.jobs.options import TrainOptions
from econet.jobs.train import train
from econet.training.progress import Silent

class Limiting(Silent):
    def begin(self, *about):
        taken = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (taken + 100_000_000, resource.RLIM_INFINITY))

data = load_data("fashion-mnist", data_dir=Path(sys.argv[1]), validation=0.15, image_size=112)
options = TrainOptions(model="econet", epochs=2, batch_size=128, deterministic=True, threads=1)
try:
    train(Path(sys.argv[2]), data, options, Limiting())
except UserError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's own here")
def test_a_real_limit_is_told_with_a_batch_that_fits(clothes_folder, tmp_path):
    words = [sys.executable, "-c", LIMITED, clothes_folder, tmp_path / "run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("error: out of memory with --batch-size 128"), done.stderr
    assert "which fits" in done.stdout
