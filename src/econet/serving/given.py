"""A picture file as each network is given it: decoded once for gray and once for colour, by the one decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from econet.errors import UserError
from econet.images.decode import FORMATS, DecodeError, decode_bytes
from econet.images.preprocess import Pixels
from econet.serving.networks import Network


@dataclass(frozen=True, slots=True)
class Given:
    """The whole picture uint8 [h, w, C], in the network's channels; `swapped` where dark and light were exchanged."""

    picture: Pixels
    swapped: bool


def given_to(content: bytes, networks: Sequence[Network], *, swap: bool = False) -> list[Given]:
    """The picture file `content` for each network; with `swap` gray ones see dark and light exchanged.

    Raises UserError where it is no picture.
    """
    found: dict[Literal[1, 3], Given] = {}
    for network in networks:
        channels = network.predictor.preprocess.channels
        if channels not in found:
            decoded, swapped = _decoded(content, channels), swap and network.is_gray
            found[channels] = Given(255 - decoded if swapped else decoded, swapped)
    return [found[network.predictor.preprocess.channels] for network in networks]


def _decoded(content: bytes, channels: Literal[1, 3]) -> Pixels:
    try:
        return decode_bytes(content, channels)
    except DecodeError as error:
        raise UserError(
            "this is no picture that can be read",
            error.reason,
            f"give a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file",
        ) from error
