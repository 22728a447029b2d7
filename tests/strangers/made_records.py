"""One record of every kind that comes with a run, a recipe's result, the zoo or an artifact."""

from collections.abc import Iterator
from pathlib import Path

from econet.deployment.sidecar import InputTensor, OutputTensor, Sidecar
from econet.models.architecture import to_data
from econet.models.econet import econet
from econet.runs.claim_records import ClaimRecord
from econet.runs.recipe_records import RecipeResult
from econet.runs.record import Record, read_record
from econet.runs.records import DataConfig, Finished, MachineChoices, Plan, RunConfig
from econet.runs.zoo_records import Card
from strangers.small_onnx import GRAY
from strangers.usual_training import USUAL


def made(repository: Path) -> Iterator[Record]:
    """Committed ones, the records inside them, and a run's."""
    result = read_record(repository / "recipes/results/fashion-mnist-econet/seed-0.json", RecipeResult)
    card = read_record(repository / "src/econet/zoo/fashion-mnist-econet-76k/card.json", Card)
    yield from (result, card, card.evaluation, card.benchmark, card.export)
    yield read_record(repository / "recipes/results/claims/fall2009/claim.json", ClaimRecord)
    yield _config()
    yield Finished(
        steps=10,
        epochs=2,
        seconds=1.5,
        images=80,
        validation_accuracy=0.75,
        still_improving=False,
        stopped_early=True,
        weights_sha256="ab",
        finished="2030-01-02T03:04:05+00:00",
    )
    yield Sidecar(
        name="small",
        classes=("cat", "dog"),
        preprocess=GRAY,
        precision="int8",
        input=InputTensor(type="int8", scale=0.01, zero_point=-128),
        output=OutputTensor(type="int8", holds="logits", scale=0.25, zero_point=3),
    )


def _config() -> RunConfig:
    data = DataConfig(
        source="photos",
        name="photos",
        fingerprint="ab" * 32,
        classes=("cat", "dog"),
        split_seed=0,
        validation_fraction=0.1,
        preprocess=GRAY,
    )
    machine = MachineChoices(
        device="cpu",
        threads=1,
        precision="fp32",
        compile=False,
        processes=1,
        deterministic=True,
        measured_images_per_s={},
        cpu="",
        capability="",
    )
    return RunConfig(
        created="2030-01-02T03:04:05+00:00",
        command="econet train photos",
        econet="0.1.0",
        python="3.11",
        torch="2.13",
        git_commit=None,
        parent=None,
        data=data,
        model="econet",
        architecture=to_data(econet((1, 28, 28), 2)),
        training=USUAL,
        plan=Plan(epochs=2, steps_per_epoch=5, steps=10, dropped_images=0),
        machine=machine,
        seed=0,
    )
