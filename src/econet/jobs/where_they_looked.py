"""Where the two files of a comparison looked, for its page: coarse maps of a handful of pictures. No torch."""

from pathlib import Path

import numpy as np

from econet.explanation.hiding import blurred
from econet.explanation.occlusion import COARSE, answers_needed, occlusion_map
from econet.explanation.places import is_flat
from econet.explanation.question import Map, Question
from econet.images.preprocess import Pixels, Preprocess, cropped
from econet.jobs.explain_subject import Subject, open_subject
from econet.report.pictures import WhereTheyLooked

# A few seconds of one thread: a comparison promises minutes in all, and its proof needs no maps.
_MACS = 60_000_000_000


def where_they_looked(baseline: Path, candidate: Path, pixels: Pixels) -> WhereTheyLooked | None:
    """Both files' maps, each for its own answer, of as many of `pixels`, stored pictures uint8 [N, H, W, C], as fit.

    By occlusion, which asks least often. How many fit follows from the files' MACs; None where not one does, or where
    they are not known.
    """
    sides = [open_subject(path) for path in (baseline, candidate)]
    macs = [each.macs for each in sides]
    if any(each is None for each in macs):
        return None
    height, width = sides[0].preprocess.image_size
    cost = sum(each or 0 for each in macs) * answers_needed(height, width, steps=COARSE)
    count = min(len(pixels), _MACS // max(1, cost))
    if count == 0:
        return None
    of_baseline, of_candidate = (np.stack([_levels(side, each) for each in pixels[:count]]) for side in sides)
    return WhereTheyLooked(of_baseline, of_candidate)


def _levels(side: Subject, stored: Pixels) -> Pixels:
    """The map of one stored picture for the side's own answer, uint8 [H, W]; what it does not see is 0."""
    seen = cropped(stored[None], side.preprocess)[0]
    label = int(side.answer(seen[None]).argmax())
    found = occlusion_map(Question(side.answer, seen, blurred(seen), label), steps=COARSE)
    strongest = float(found.max())
    if is_flat(found) or strongest <= 0:
        return np.zeros(stored.shape[:2], np.uint8)
    return _framed(found / strongest, side.preprocess)


def _framed(levels: Map, preprocess: Preprocess) -> Pixels:
    """Levels up to 1 of the central crop, as uint8 within the stored picture."""
    (height, width), (tall, wide) = preprocess.image_size, preprocess.resize_size
    frame = np.zeros((tall, wide), np.uint8)
    top, left = ((tall - height) // 2, (wide - width) // 2) if preprocess.crop == "centre" else (0, 0)
    frame[top : top + height, left : left + width] = np.rint(255 * np.clip(levels, 0, 1))
    return frame
