"""The schema of a shipped artifact's `card.json`."""

from typing import Any

from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.record import SCHEMA, Record


class Card(Record, frozen=True, kw_only=True):
    """One entry of the zoo: what was trained on what, and the records of its file whole.

    `seed` is the median one of the recipe's by validation accuracy; `architecture` rebuilds the network.
    """

    schema: int = SCHEMA
    name: str
    recipe: str
    seed: int
    data: str
    model: str
    architecture: dict[str, Any]
    evaluation: Evaluation
    benchmark: Benchmark
    export: Export
