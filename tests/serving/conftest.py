"""Networks to serve: the shipped one, and copies of it that say other things about themselves."""

import io
from pathlib import Path

import msgspec
import onnx
import pytest
from PIL import Image

from econet.deployment.confidence import embed_confidence
from econet.deployment.metadata import embed, read_metadata
from econet.runs.confidence_records import Confidence
from served_page import SHIPPED, serving


@pytest.fixture(scope="session")
def relabelled():
    """Write a copy of the shipped network with other classes, and perhaps another preprocessing, to `path`."""

    def write(path: Path, classes=None, **preprocess) -> Path:
        model = onnx.load(SHIPPED)
        known = read_metadata(model, SHIPPED)
        changed = msgspec.structs.replace(known.preprocess, **preprocess)
        embed(model, msgspec.structs.replace(known, classes=tuple(classes or known.classes), preprocess=changed))
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture(scope="session")
def doubtful():
    """Write a copy of the shipped network that holds a confidence, with sets up to a -log probability of `score`."""

    def write(path: Path, *, familiar: float, score: float, classes=None) -> Path:
        model = onnx.load(SHIPPED)
        known = read_metadata(model, SHIPPED)
        embed(model, msgspec.structs.replace(known, classes=tuple(classes or known.classes)))
        held = Confidence(temperature=2.0, scores=(score,) * 50, familiar=familiar, false_alarms=0.05, images=(50, 99))
        embed_confidence(model, held)
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture(scope="session")
def site():
    """The shipped network's page."""
    with serving([SHIPPED]) as found:
        yield found


@pytest.fixture(scope="session")
def as_file():
    """A picture as the bytes of a file."""

    def save(picture: Image.Image, kind="PNG", **options) -> bytes:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        return stream.getvalue()

    return save
