"""Making a proof: the file answers its photos, and by how much another right program may differ is measured."""

from pathlib import Path

import numpy as np

from econet.deployment.artifact_file import open_artifact
from econet.deployment.engines.onnx_runtime import OnnxFile
from econet.deployment.proof.digests import file_digests, graph_digests
from econet.deployment.proof.photos import Photo, proof_photos
from econet.deployment.proof.pipeline import Floats, Pipeline
from econet.deployment.proof.proof_file import Proof
from econet.deployment.proof.tolerance import runtime_tolerance
from econet.images.preprocess import Pixels
from econet.runs.proof_records import ProofHead, ProofPhoto
from econet.version import __version__

# Pixels of so many bytes at the store's size lie in a proof, but of three photos at least.
_PIXEL_BYTES, _LEAST_PIXELS = 100_000, 3
# JPEG decoders differ in their arithmetic: mean gray levels of a picture.
_LOSSY_TOLERANCE = 2.0
# How far rounding moves the pixels that another resize, or another JPEG decoder, gives; random signs, drawn thrice.
_RESIZE_LEVELS, _LOSSY_LEVELS, _DRAWS = 1, 3, 3


def make_proof(artifact: Path) -> Proof:
    """The proof of the file at `artifact`, by its own runtime on this machine. Raises UserError where it cannot run."""
    file = open_artifact(artifact)
    metadata = file.metadata
    preprocess = metadata.preprocess
    pipeline = Pipeline(preprocess, (engine := file.engine()).logits)
    photos = proof_photos(preprocess)
    decoded = tuple(pipeline.decoded(photo.content) for photo in photos)
    stored = np.stack([pipeline.stored(each) for each in decoded])
    rows = min(len(photos), max(_LEAST_PIXELS, _PIXEL_BYTES // stored[0].size))
    logits = pipeline.answer(pipeline.inputs(stored))
    tolerance = runtime_tolerance(file, logits, pipeline.inputs(stored))
    head = ProofHead(
        made_by=f"econet {__version__}",
        runtime=f"{engine.name} {engine.version}",
        files=file_digests(artifact),
        graph=graph_digests(file.model) if isinstance(file, OnnxFile) else None,
        name=metadata.name,
        precision=metadata.precision,
        classes=metadata.classes,
        preprocess=preprocess,
        photos=tuple(
            ProofPhoto(name=photo.name, tolerance=0.0 if photo.exact else _LOSSY_TOLERANCE) for photo in photos
        ),
    )
    return Proof(
        head=head,
        photos=tuple(photo.content for photo in photos),
        decoded=decoded,
        pixels=stored[:rows],
        logits=logits,
        tolerance=tolerance + _wiggle(pipeline, photos, stored, logits),
        pixel_tolerance=tolerance[:rows],
    )


def _wiggle(pipeline: Pipeline, photos: tuple[Photo, ...], stored: Pixels, logits: Floats) -> Floats:
    """[N]: how far logits move when another right resize, or JPEG decoder, rounds the pixels otherwise."""
    resizes = pipeline.preprocess.resize != "none"
    levels = np.array([resizes * _RESIZE_LEVELS + (not photo.exact) * _LOSSY_LEVELS for photo in photos])
    random = np.random.Generator(np.random.PCG64(0))
    moved = np.zeros(len(photos), np.float32)
    for _ in range(_DRAWS):
        noise = random.integers(-levels[:, None, None, None], levels[:, None, None, None] + 1, stored.shape)
        shaken = (stored.astype(np.int64) + noise).clip(0, 255).astype(np.uint8)
        answers = pipeline.answer(pipeline.inputs(shaken))
        moved = np.maximum(moved, np.abs(answers - logits).max(axis=1))
    return moved
