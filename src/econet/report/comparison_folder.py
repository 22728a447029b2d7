"""A comparison's folder as the page reads it: the record, and where the files of each side lie."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from econet.errors import UserError
from econet.measurement.accuracy import Predictions, read_predictions
from econet.report.answers import pooled_path, predictions_path
from econet.runs.comparison_records import Comparison, Side
from econet.runs.folder import Run
from econet.runs.ledger_records import Ledger
from econet.runs.record import read_record
from econet.runs.records import Epoch, RunConfig


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file of the data that was not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ComparisonFolder:
    """The folder of a finished comparison. What a side lacks (it was given as a FILE) is None or empty."""

    path: Path
    comparison: Comparison

    def run(self, side: Side) -> Run | None:
        """The side's run; its record names it from this folder, or in full where it lies elsewhere."""
        run = None if side.run is None else Run(self.path / side.run)
        return run if run is not None and run.exists else None

    def artifact(self, side: Side) -> Path | None:
        """The side's file, named as its run is; None where it is gone."""
        path = self.path / side.artifact
        return path if path.is_file() else None

    def predictions(self, side: Side) -> Predictions | None:
        """The side's answers to the pictures of the proof. Raises UserError where the file is damaged."""
        if self.comparison.folds is not None:
            path = pooled_path(self.path, side)
        else:
            artifact = self.artifact(side)
            path = None if artifact is None else predictions_path(artifact)
        return None if path is None or not path.is_file() else read_predictions(path)

    def history(self, side: Side) -> list[Epoch]:
        """The epochs of the side's training."""
        run = self.run(side)
        return [] if run is None else run.history

    def run_config(self, side: Side) -> RunConfig | None:
        """The side's `config.json`."""
        run = self.run(side)
        return None if run is None else run.config

    def ledger(self) -> Ledger | None:
        """What `econet ledger` found out of this comparison; None where it was not asked."""
        path = self.path / "ledger.json"
        return read_record(path, Ledger) if path.is_file() else None

    def set_aside(self) -> list[SetAside]:
        """Files that were not used: those in `data.jsonl`, and those that could not be decoded while training."""
        runs = [run.folder for side in self.comparison.sides if (run := self.run(side)) is not None]
        folders = list(dict.fromkeys([self.path, *runs]))
        listings = [folder / "data.jsonl" for folder in folders if (folder / "data.jsonl").is_file()]
        found = [each for listing in listings[:1] for each in _set_aside(listing, "path", "set_aside")]
        for folder in folders:
            if (folder / "set_aside.jsonl").is_file():
                found += _set_aside(folder / "set_aside.jsonl", "file", "reason")
        return list({each.path: each for each in reversed(found)}.values())[::-1]

    def records(self) -> list[str]:
        """Relative names of the records beside the page, for its links."""
        found = [name for name in ("comparison.json", "config.json", "ledger.json") if (self.path / name).is_file()]
        for role in ("baseline", "candidate", "teacher"):
            names = ("config.json", "finished.json", "history.jsonl", "data.jsonl")
            found += [f"{role}/{name}" for name in names if (self.path / role / name).is_file()]
            found += sorted(
                f"{role}/{path.name}"
                for kind in ("evaluation", "benchmark", "export")
                for path in (self.path / role).glob(f"*.{kind}.json")
            )
        return found


def open_comparison(folder: Path) -> ComparisonFolder:
    """Read `folder/comparison.json`. Raises UserError where it is missing or wrong."""
    path = folder / "comparison.json"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no finished comparison",
            "it has no comparison.json",
            f"econet compare --resume --out {folder}",
        )
    return ComparisonFolder(folder, read_record(path, Comparison))


def _set_aside(listing: Path, path: str, reason: str) -> list[SetAside]:
    """The lines of `listing` that have a reason, by the names of their two fields."""
    found: list[SetAside] = []
    for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = msgspec.json.decode(line, type=dict[str, object])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise UserError(
                f"{listing} is damaged", str(error), "restore the file, or run the comparison again"
            ) from error
        if entry.get(reason):
            found.append(SetAside(str(entry.get(path, "")), str(entry[reason])))
    return found
