"""Where the networks looked in one picture file: a map of each, by occlusion, for its own answer."""

from collections.abc import Sequence

from econet.explanation.hiding import blurred
from econet.explanation.occlusion import COARSE, FINE, answers_needed, occlusion_map
from econet.explanation.places import is_flat, place_of
from econet.explanation.question import Question
from econet.images.preprocess import cropped
from econet.report import numbers
from econet.report.embedded import embedded
from econet.report.explanation_words import place_name
from econet.report.heat import overlay
from econet.runs.record import Record
from econet.serving.fitting import fitted
from econet.serving.given import Given, given_to
from econet.serving.networks import Network

# What a fine map may cost: about two seconds of one thread. A larger network's patch moves by longer steps.
_MACS = 30_000_000_000


class Look(Record, frozen=True, kw_only=True):
    """A network's map over what it saw, as the `src` of an image: for which class, where it points in words, and how
    many answers it took.
    """

    source: str
    width: int
    height: int
    about: str
    place: str
    asked: int


def looks_at(content: bytes, networks: Sequence[Network], *, swap: bool = False) -> list[Look]:
    """Each network's map of the picture file `content`; with `swap` gray ones see dark and light exchanged.

    Raises UserError where it is no picture.
    """
    given = given_to(content, networks, swap=swap)
    return [_look(network, each) for network, each in zip(networks, given, strict=True)]


def steps_for(macs: int | None, height: int, width: int) -> int:
    """How finely the patch moves over an input of that size; coarsely too where MACs are not known."""
    return FINE if macs is not None and macs * answers_needed(height, width) <= _MACS else COARSE


def _look(network: Network, given: Given) -> Look:
    predictor = network.predictor
    seen = cropped(fitted(given.picture, predictor.preprocess), predictor.preprocess)
    height, width = seen.shape[:2]
    label = int(predictor.input_logits(seen[None])[0].argmax())
    steps = steps_for(network.macs, height, width)
    found = occlusion_map(Question(predictor.input_logits, seen, blurred(seen), label), steps=steps)
    drawn = embedded(overlay(seen, found))
    return Look(
        source=drawn.source,
        width=drawn.width,
        height=drawn.height,
        about=numbers.shown(predictor.classes[label]),
        place=place_name(None if is_flat(found) else place_of(found)),
        asked=answers_needed(height, width, steps=steps),
    )
