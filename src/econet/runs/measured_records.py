"""What a program of ours measured about EcoNet itself: `benchmarks/results/<name>.json`."""

from typing import Any

from econet.runs.artifact_records import Machine
from econet.runs.record import SCHEMA, Record


class Measured(Record, frozen=True, kw_only=True):
    """Figures with the command that made them, and when and where it ran.

    `figures` are the program's own: plain JSON types, whose meaning its documentation tells.
    """

    schema: int = SCHEMA
    name: str
    command: str
    made: str
    machine: Machine
    econet: str
    git_commit: str | None
    figures: dict[str, Any]
