"""The way from an encoded photo to logits in stages that can be exchanged, and what such a way makes of a proof."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from econet.deployment.proof.proof_file import Proof
from econet.images.decode import DecodeError, decode_bytes
from econet.images.preprocess import Pixels, Preprocess, cropped, resized

Floats = NDArray[np.float32]
Decode = Callable[[bytes, Literal[1, 3]], Pixels]
Shape = Callable[[Pixels, Preprocess], Pixels]
Run = Callable[[Pixels], Floats]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One program's way: `decode` gives [H, W, C] of a photo, `resize` brings that to the store's size, `crop` cuts
    inputs [N, h, w, C] out of stored images, `answer` runs the network on those.

    `rescaled` runs it with its scaled input x replaced by a x + b; None where that cannot be done.
    """

    preprocess: Preprocess
    answer: Run
    decode: Decode = decode_bytes
    resize: Shape = resized
    crop: Shape = cropped
    rescaled: Callable[[float, float], Run] | None = None

    def decoded(self, photo: bytes) -> Pixels:
        """A photo's pixels [H, W, C]. Raises DecodeError."""
        return self.decode(photo, self.preprocess.channels)

    def stored(self, decoded: Pixels) -> Pixels:
        """Decoded pixels at the store's size. Raises ValueError where they fit no network that resizes none."""
        return self.resize(decoded, self.preprocess)

    def inputs(self, stored: Pixels) -> Pixels:
        """The network's inputs [N, h, w, C] of stored images [N, H, W, C]."""
        return self.crop(stored, self.preprocess)

    def inputs_of(self, photos: Sequence[bytes]) -> Pixels:
        """The network's inputs [N, h, w, C] of encoded photos. Raises DecodeError or ValueError."""
        return self.inputs(np.stack([self.stored(self.decoded(photo)) for photo in photos]))

    def logits_of(self, photos: Sequence[bytes]) -> Floats:
        """Logits [N, K] of encoded photos. Raises DecodeError or ValueError."""
        return self.answer(self.inputs_of(photos))


@dataclass(frozen=True, slots=True)
class Answers:
    """What a program made of a proof's photos; None where that was not seen.

    From the photos alone: `decoded` (None for a photo it cannot decode), `inputs` of the first M, `logits` of all.
    Each stage by itself, from what the proof says the stage before gives: `resized`, `cropped`, `pixel_logits`, all of
    the first M.
    """

    decoded: tuple[Pixels | None, ...] | None = None
    resized: tuple[Pixels, ...] | None = None
    cropped: Pixels | None = None
    pixel_logits: Floats | None = None
    inputs: Pixels | None = None
    logits: Floats | None = None


def replayed(proof: Proof, pipeline: Pipeline) -> Answers:
    """Everything that `pipeline` makes of the photos of `proof`."""
    rows = len(proof.pixels)
    decoded = tuple(_decoded(pipeline, photo) for photo in proof.photos)
    inputs, logits = None, None
    if all(each is not None for each in decoded):
        # A size that the network does not take shows in the decoder's stage.
        with suppress(ValueError):
            inputs, logits = pipeline.inputs_of(proof.photos[:rows]), pipeline.logits_of(proof.photos)
    return Answers(
        decoded=decoded,
        resized=tuple(pipeline.stored(each) for each in proof.decoded[:rows]),
        cropped=pipeline.inputs(proof.pixels),
        pixel_logits=pipeline.answer(cropped(proof.pixels, proof.head.preprocess)),
        inputs=inputs,
        logits=logits,
    )


def _decoded(pipeline: Pipeline, photo: bytes) -> Pixels | None:
    try:
        return pipeline.decoded(photo)
    except DecodeError:
        return None
