"""What is tried: each subject makes whole files in a folder of its own and asks what becomes of a damaged one.

The answer is "equal" (the damage is not seen because it changed nothing), "answered" (read, with other values than the
whole file's, where the format has no digest) or "refused" (one UserError, each part of it one line).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from econet.errors import UserError
from strangers.mutation import damaged, damaged_json

REPOSITORY = Path(__file__).parents[2]
ZOO = REPOSITORY / "src" / "econet" / "zoo" / "fashion-mnist-econet-76k"


@dataclass(frozen=True)
class Trial:
    """`damage(number)` makes a file's bytes, `ask` says what becomes of them; the whole file is number -1."""

    damage: Callable[[int], bytes]
    ask: Callable[[bytes, int], str]


def refusal(error: UserError, path: Path) -> str:
    """The word "refused", where the error names `path` and is fit for a terminal. Raises AssertionError elsewhere."""
    assert str(path) in error.what
    for part in (error.what, error.why, error.remedy):
        assert part.isprintable(), part
        assert len(part) < 2000, part
    return "refused"


def onnx(folder: Path) -> Trial:
    """A float file written here and the zoo's int8 file."""
    from econet.deployment.predictor import Predictor
    from strangers.small_onnx import small_model

    wholes = [small_model().SerializeToString(), (ZOO / "model.int8.onnx").read_bytes()]
    pictures = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    answers: dict[int, np.ndarray] = {}
    path = folder / "model.onnx"

    def ask(content: bytes, number: int) -> str:
        path.write_bytes(content)
        try:
            predictor = Predictor(path)
            size = (*predictor.preprocess.resize_size, predictor.preprocess.channels)
            found = predictor.logits(pictures if size == pictures.shape[1:] else np.zeros((2, *size), np.uint8))
        except UserError as error:
            return refusal(error, path)
        assert found.shape == (2, len(predictor.classes))
        expected = answers.setdefault(number % 2, found)
        return "equal" if np.array_equal(found, expected) else "answered"

    for number, content in enumerate(wholes):
        ask(content, number)
    return Trial(lambda number: damaged(wholes[number % 2], number, 4000), ask)


def weights(folder: Path) -> Trial:
    """Weights that a run ended with, and a checkpoint to go on from."""
    import torch

    from econet.models import catalog
    from econet.runs.folder import Run
    from econet.training.averaging import Average
    from econet.training.checkpoint import Counters, read_checkpoint, state_of, write_checkpoint
    from econet.training.optimizers import Optimizers
    from econet.training.weights import load_into
    from strangers.usual_training import USUAL

    torch.manual_seed(0)
    network = catalog.build("econet", input_shape=(1, 8, 8), width=0.25)
    average, optimizers = Average(network, 0.9), Optimizers(network, USUAL)
    network(torch.rand(4, 1, 8, 8)).square().mean().backward()
    optimizers.step(1.0)
    run, counters = Run(folder), Counters(step=3, seconds=0.5)
    write_checkpoint(run, state_of(network, average, optimizers), counters)
    whole_weights, digest = _saved(network, folder / "weights.safetensors")
    wholes = [whole_weights, run.checkpoint_path.read_bytes()]
    expected = {name: value.clone() for name, value in state_of(network, average, optimizers).items()}

    def ask(content: bytes, number: int) -> str:
        path = run.weights_path if number % 2 == 0 else run.checkpoint_path
        path.write_bytes(content)
        try:
            if number % 2 == 0:
                load_into(network, path, digest)
            else:
                assert read_checkpoint(run, network, average, optimizers) == (counters, None)
        except UserError as error:
            return refusal(error, run.folder)
        now = state_of(network, average, optimizers)
        assert now.keys() == expected.keys()
        assert all(torch.equal(now[name], value) for name, value in expected.items())
        return "equal"

    for number, content in enumerate(wholes):
        assert ask(content, number) == "equal"
    return Trial(lambda number: damaged(wholes[number % 2], number, 6000), ask)


def _saved(network: object, path: Path) -> tuple[bytes, str]:
    from safetensors.torch import save_file

    from econet.files import sha256_of

    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)  # type: ignore[attr-defined]
    return path.read_bytes(), sha256_of(path)


def records(folder: Path) -> Trial:
    """Every kind of record that is committed here, and those of a run."""
    from econet.runs.record import Record, read_record, to_json
    from strangers.made_records import made

    found: list[tuple[Record, bytes]] = [(record, to_json(record)) for record in made(REPOSITORY)]
    path = folder / "record.json"

    def ask(content: bytes, number: int) -> str:
        record, whole = found[number % len(found)]
        path.write_bytes(content)
        try:
            again = read_record(path, type(record))
        except UserError as error:
            return refusal(error, path)
        assert msgspec.convert(msgspec.to_builtins(again), type(record)) == again
        return "equal" if to_json(again) == whole else "answered"

    for number, (_, whole) in enumerate(found):
        assert ask(whole, number) == "equal"
    return Trial(lambda number: damaged_json(found[number % len(found)][1], number), ask)


SUBJECTS: dict[str, Callable[[Path], Trial]] = {"onnx": onnx, "weights": weights, "records": records}
