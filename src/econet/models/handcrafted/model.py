"""Hand-crafted features with a linear classifier: a pure function of pixels and recorded arrays, and its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from econet.errors import UserError, one_line
from econet.files import write_whole
from econet.images.preprocess import Pixels
from econet.models.handcrafted.dense_sift import LENGTH, descriptors, places
from econet.models.handcrafted.features import Features, Handcrafted, Hog, SiftFisher
from econet.models.handcrafted.fisher import Codebook, fisher_gradients, improved, reduced
from econet.models.handcrafted.hog import hog_features

Floats = NDArray[np.float32]
# Pictures at a time: dense descriptors of more would not fit a processor's cache, and need not fit the memory.
CHUNK = 64
_CODEBOOK = "codebook."


@dataclass(frozen=True, slots=True)
class HandcraftedModel:
    """A fitted model: `weights` [K, D] and `bias` [K] over the features; `codebook` where they need one."""

    record: Handcrafted
    weights: Floats
    bias: Floats
    codebook: Codebook | None = None

    def logits(self, pixels: Pixels) -> Floats:
        """Logits [N, K] of pictures uint8 [N, H, W, C] at the model's own size."""
        parts = [
            features_of(pixels[start : start + CHUNK], self.record.features, self.codebook) @ self.weights.T
            for start in range(0, len(pixels), CHUNK)
        ]
        return np.concatenate(parts) + self.bias


def features_of(pixels: Pixels, kind: Features, codebook: Codebook | None) -> Floats:
    """Features [N, D] of pictures uint8 [N, H, W, C]. Raises ValueError where a codebook is needed and absent."""
    if isinstance(kind, Hog):
        return hog_features(pixels, kind)
    if codebook is None:
        raise ValueError("a Fisher vector needs a codebook")
    where = places(pixels.shape[1], pixels.shape[2], kind)
    points = reduced(descriptors(pixels, kind), where, codebook.mean, codebook.axes)
    return improved(fisher_gradients(points, codebook))


def all_features(pixels: Pixels, kind: Features, codebook: Codebook | None, *, mirrored: bool) -> Floats:
    """Features [N, D] in one array, filled in pieces; with `mirrored` [2 N, D], the mirror images' after the others."""
    sources = [pixels, pixels[:, :, ::-1]] if mirrored else [pixels]
    length = features_of(np.ascontiguousarray(pixels[:1]), kind, codebook).shape[1]
    found = np.empty((len(sources) * len(pixels), length), np.float32)
    for number, source in enumerate(sources):
        for start in range(0, len(source), CHUNK):
            piece = np.ascontiguousarray(source[start : start + CHUNK])
            at = number * len(pixels) + start
            found[at : at + len(piece)] = features_of(piece, kind, codebook)
    return found


def write_model(path: Path, model: HandcraftedModel) -> None:
    """Write the arrays as safetensors, whole or not at all."""
    arrays = {"weights": model.weights, "bias": model.bias}
    if model.codebook is not None:
        for name in Codebook.__slots__:
            arrays[_CODEBOOK + name] = getattr(model.codebook, name)
    write_whole(path, save({name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}))


def read_model(path: Path, record: Handcrafted) -> HandcraftedModel:
    """Read a fitted model back. Raises UserError where the file is damaged or does not fit the record."""
    try:
        arrays = load_file(path)
    except MemoryError:
        raise
    # Besides its own error the library raises OSError, KeyError, ValueError and AssertionError.
    except Exception as error:
        raise _unusable(path, one_line(error)) from error
    expected = shapes_of(record)
    for name in sorted(expected.keys() | arrays.keys()):
        shape = arrays[name].shape if name in arrays else None
        if shape != expected.get(name):
            raise _unusable(path, f"`{one_line(name)}` has shape {shape}, its config.json says {expected.get(name)}")
        if arrays[name].dtype != np.float32:
            raise _unusable(path, f"`{name}` holds {arrays[name].dtype}, not float32")
    parts = {name.removeprefix(_CODEBOOK): array for name, array in arrays.items() if name.startswith(_CODEBOOK)}
    return HandcraftedModel(record, arrays["weights"], arrays["bias"], Codebook(**parts) if parts else None)


def shapes_of(record: Handcrafted) -> dict[str, tuple[int, ...]]:
    """The shape of every array in the file of such a model."""
    kind, classes = record.features, record.classes
    if isinstance(kind, Hog):
        return {"weights": (classes, _hog_length(record, kind)), "bias": (classes,)}
    return {"weights": (classes, 2 * kind.gaussians * (kind.components + 2)), "bias": (classes,)} | {
        _CODEBOOK + name: shape for name, shape in _codebook_shapes(kind).items()
    }


def _hog_length(record: Handcrafted, kind: Hog) -> int:
    """Values of all blocks: a block at every cell where one fits, in each size of cells."""
    return sum(
        (record.input[1] // cell - kind.block + 1)
        * (record.input[2] // cell - kind.block + 1)
        * kind.block**2
        * kind.orientations
        for cell in kind.cells
    )


def _codebook_shapes(kind: SiftFisher) -> dict[str, tuple[int, ...]]:
    gaussians, dimensions = kind.gaussians, kind.components + 2
    return {
        "mean": (LENGTH,),
        "axes": (kind.components, LENGTH),
        "weights": (gaussians,),
        "means": (gaussians, dimensions),
        "variances": (gaussians, dimensions),
    }


def _unusable(path: Path, why: str) -> UserError:
    return UserError(f"the arrays in {path} cannot be used", why, "fit the model again, or name another run")
