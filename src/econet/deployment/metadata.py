"""What an artifact says about itself: one entry of compact JSON in the file's metadata."""

from pathlib import Path

import msgspec
import onnx

from econet.errors import UserError, one_line
from econet.images.preprocess import Preprocess, misfit
from econet.runs.artifact_records import Precision
from econet.runs.record import SCHEMA, Record

KEY = "econet"


class Metadata(Record, frozen=True, kw_only=True):
    """Name, classes in the order of the logits, preprocessing and precision of an artifact."""

    schema: int = SCHEMA
    name: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    precision: Precision


def embed(model: onnx.ModelProto, metadata: Metadata) -> None:
    """Make `metadata` the one metadata entry of `model`, in place."""
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=msgspec.json.encode(metadata).decode())


def read_metadata(model: onnx.ModelProto, path: Path) -> Metadata:
    """The metadata of a model read from `path`. Raises UserError where it has none or it is wrong."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if KEY not in entries:
        raise UserError(
            f"{path} is not an EcoNet file",
            f"its metadata has no entry {KEY!r}, so neither classes nor preprocessing are known",
            "name a file that `econet export` wrote",
        )
    return _decoded(entries[KEY], path)


def _decoded(text: str, path: Path) -> Metadata:
    try:
        found = msgspec.json.decode(text)
        if isinstance(found, dict) and isinstance(found.get("schema"), int) and found["schema"] > SCHEMA:
            raise UserError(
                f"{path} is newer than this EcoNet",
                f"its metadata has schema {found['schema']}; this version reads up to {SCHEMA}",
                "install a newer EcoNet",
            )
        metadata = msgspec.convert(found, Metadata)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _unreadable(path, one_line(error)) from error
    wrong = misfit(metadata.preprocess)
    if wrong is not None:
        raise _unreadable(path, wrong)
    return metadata


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(f"the metadata of {path} cannot be read", why, "export the file again with `econet export`")
