"""The run folder: where every file of one run lies, and how it is read back."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import msgspec

from econet.errors import UserError, one_line
from econet.files import append_line, sha256_of, write_whole
from econet.runs.choices import Format
from econet.runs.handcrafted_records import HandcraftedConfig, is_handcrafted
from econet.runs.pruning_records import Pruning
from econet.runs.record import digest, read_record, write_record
from econet.runs.records import Epoch, Finished, RunConfig

# What the name of an artifact ends with.
SUFFIXES: dict[Format, str] = {
    "onnx": ".onnx",
    "litert": ".tflite",
    "openvino": ".xml",
    "executorch": ".pte",
    "c": ".cc",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One training or compression and its folder. Nothing is cached: every property reads the disk."""

    folder: Path

    @property
    def config_path(self) -> Path:
        """`config.json`; a folder without it is not a run."""
        return self.folder / "config.json"

    @property
    def weights_path(self) -> Path:
        """`weights.safetensors`, the finished weights."""
        return self.folder / "weights.safetensors"

    @property
    def checkpoint_path(self) -> Path:
        """`checkpoint.safetensors`, all that resume needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def previous_checkpoint_path(self) -> Path:
        """`checkpoint.previous.safetensors`, the one before."""
        return self.folder / "checkpoint.previous.safetensors"

    @property
    def epoch_checkpoint_path(self) -> Path:
        """`checkpoint.epoch.safetensors`, the one with which the present epoch began."""
        return self.folder / "checkpoint.epoch.safetensors"

    @property
    def checkpoint_paths(self) -> tuple[Path, ...]:
        """Where a resume looks for a checkpoint, the newest first."""
        return self.checkpoint_path, self.previous_checkpoint_path

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is any checkpoint to go on from."""
        return any(path.exists() for path in self.checkpoint_paths)

    @property
    def history_path(self) -> Path:
        """`history.jsonl`, a line an epoch."""
        return self.folder / "history.jsonl"

    @property
    def finished_path(self) -> Path:
        """`finished.json`, the last file a run writes."""
        return self.folder / "finished.json"

    @property
    def fit_path(self) -> Path:
        """`fit.json`, how hand-crafted features and their classifier came about."""
        return self.folder / "fit.json"

    @property
    def pruning_path(self) -> Path:
        """`pruning.json`, what a pruned run took from its parent."""
        return self.folder / "pruning.json"

    def artifact(self, precision: str, format: Format = "onnx") -> Path:
        """`model.onnx` for fp32, `model.int8.onnx` for int8; of another format with its ending."""
        return self.folder / (("model" if precision == "fp32" else f"model.{precision}") + SUFFIXES[format])

    def artifacts(self) -> list[Path]:
        """Every artifact in the folder that a runtime here opens: of each format fp32 first."""
        formats: tuple[Format, ...] = ("onnx", "litert", "openvino", "executorch")
        paths = [self.artifact(precision, format) for format in formats for precision in ("fp32", "int8")]
        return [path for path in paths if path.exists()]

    @property
    def exists(self) -> bool:
        """Whether the folder is a run."""
        return self.config_path.is_file()

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end."""
        return self.finished_path.is_file()

    @property
    def recorded(self) -> RunConfig | HandcraftedConfig:
        """The validated `config.json` of whatever was trained. Raises UserError where it is absent or wrong."""
        kind = HandcraftedConfig if is_handcrafted(self.config_path) else RunConfig
        return read_record(self.config_path, kind)

    @property
    def config(self) -> RunConfig:
        """The validated `config.json` of a network. Raises UserError where it is absent, wrong, or of no network."""
        recorded = self.recorded
        if isinstance(recorded, HandcraftedConfig):
            raise UserError(
                f"{self.folder} holds no network",
                f"it holds {recorded.model}: hand-crafted features and a linear classifier, which no file can carry",
                f"econet evaluate {self.folder}, or the run of a network",
            )
        if recorded.architecture_sha256 not in (None, digest(recorded.architecture)):
            raise _changed(self.config_path, "architecture")
        return recorded

    @property
    def finished(self) -> Finished:
        """The validated `finished.json`. Raises UserError where the run is not complete."""
        if not self.is_finished:
            raise UserError(
                f"{self.folder} is not finished",
                "it has no finished.json: training was stopped before its end",
                self.resume_command,
            )
        return read_record(self.finished_path, Finished)

    @property
    def pruning(self) -> Pruning:
        """The validated `pruning.json`. Raises UserError where it is absent, wrong, or not what the run was cut by."""
        record = read_record(self.pruning_path, Pruning)
        if self.exists and self.config.pruning_sha256 not in (None, sha256_of(self.pruning_path)):
            raise _changed(self.pruning_path, None)
        return record

    @property
    def resume_command(self) -> str:
        """What goes on with an unfinished run: `econet train`, or the command that made it from its parent."""
        recorded = self.recorded if self.exists else None
        if isinstance(recorded, RunConfig) and "quantized" in recorded.architecture:
            return f"econet quantize --resume --out {self.folder}"
        if isinstance(recorded, RunConfig) and recorded.parent is not None:
            return f"the command that made it, with --resume: {recorded.command}"
        return f"econet train --resume --out {self.folder}"

    @property
    def history(self) -> list[Epoch]:
        """The epochs so far; a torn last line is passed over."""
        return read_history(self.history_path)

    def _repr_html_(self) -> str:
        """What a notebook shows of a run."""
        where = escape(str(self.folder))
        if not self.exists:
            return f"<p>{where}: no run yet</p>"
        recorded = self.recorded
        title = f"{escape(recorded.model)} on {escape(recorded.data.name)}"
        if not self.is_finished:
            return f"<p>{title}, not finished ({where})</p>"
        finished = self.finished
        return (
            f"<p>{title}: validation accuracy {finished.validation_accuracy:.1%} after {finished.epochs} epochs "
            f"in {finished.seconds:.0f} s ({where})</p>"
        )

    def write_config(self, config: RunConfig) -> None:
        """Write `config.json` whole."""
        write_record(self.config_path, config)

    def append_epoch(self, epoch: Epoch) -> None:
        """Append a line to `history.jsonl`."""
        append_line(self.history_path, msgspec.json.encode(epoch).decode())


def _changed(path: Path, field: str | None) -> UserError:
    """The error for a record of a network that is no longer the one its weights belong to."""
    return UserError(
        f"{path} was changed" if field is None else f"field `{field}` of {path} was changed",
        "its SHA-256 is not the one that was kept when the run was made: it tells of another network than was trained",
        "restore the file from a copy, or make the run again with --out NEW",
    )


def open_run(folder: Path) -> Run:
    """The run in `folder`. Raises UserError where there is none."""
    run = Run(folder)
    if not run.exists:
        why = "it has no config.json" if folder.is_dir() else "there is no such folder"
        raise UserError(f"{folder} is not a run", why, "name a folder that `econet train` or `econet compare` made")
    return run


def read_history(path: Path) -> list[Epoch]:
    """Read `history.jsonl`. A torn last line (a kill while writing) is passed over; any other fault raises."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    epochs: list[Epoch] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            epochs.append(msgspec.json.decode(line, type=Epoch))
        except (msgspec.MsgspecError, RecursionError) as error:
            if number == len(lines):
                break
            raise UserError(
                f"{path} line {number} is not an epoch", one_line(error), "restore the file from a copy"
            ) from error
    return epochs


def truncate_history(path: Path, epochs: int) -> None:
    """Keep the first `epochs` lines: what came after the checkpoint will be written again by the resume."""
    kept = [msgspec.json.encode(epoch) for epoch in read_history(path) if epoch.epoch <= epochs]
    write_whole(path, b"".join(line + b"\n" for line in kept))
