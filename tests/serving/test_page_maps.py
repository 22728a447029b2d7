"""Where the networks looked, as the page is told: the very map of the file, over the picture it saw, or why not."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from econet.deployment.predictor import Predictor
from econet.deployment.zoo import card, zoo_names
from econet.serving.looking import steps_for
from econet.serving.networks import open_networks
from served_page import SHIPPED, serving

PHOTO = sorted((Path(__file__).parents[1] / "fixtures" / "clothing" / "test" / "dress").iterdir())[0]


def maps(site, content, path="/map"):
    reply = site.ask(path, content)
    assert reply.status == 200, reply.body
    return reply.json["maps"]


def pixels(source) -> np.ndarray:
    head, _, content = source.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def half_hidden_losses(picture: np.ndarray, label: int) -> tuple[float, float]:
    """What the class loses, in log-probability, when the upper or the lower half is hidden by its mean."""
    predictor = Predictor(SHIPPED)

    def score(shown):
        logits = predictor.logits(shown[None, :, :, None])[0].astype(float)
        return logits[label] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()

    upper, lower = picture.copy(), picture.copy()
    upper[:14] = picture.mean()
    lower[14:] = picture.mean()
    return score(picture) - score(upper), score(picture) - score(lower)


def test_the_map_lies_over_what_the_network_saw_and_is_about_its_answer(site):
    (answer,) = site.answers(PHOTO.read_bytes())
    (found,) = maps(site, PHOTO.read_bytes())
    drawn, saw = pixels(found["source"]).astype(int), pixels(answer["seen"]["source"])
    assert (found["width"], found["height"]) == (28, 28)
    assert found["about"] == answer["likeliest"][0]["label"]
    # 4 steps to a patch of 7 pixels: 1 pixel a step, 34 places a side where it touches the picture, and the picture.
    assert found["asked"] == 1 + 34 * 34
    # Blue falls as yellow rises: red less blue, freed of the gray picture below, which is the same in both, grows
    # with the map.
    warmth = drawn[..., 0] - drawn[..., 2]
    above, below = half_hidden_losses(saw, Predictor(SHIPPED).classes.index(found["about"]))
    assert (warmth[:14].mean() > warmth[14:].mean()) == (above > below)


def test_a_picture_in_which_nothing_differs_points_nowhere(site, as_file):
    (found,) = maps(site, as_file(Image.new("L", (28, 28), 128)))
    assert found["place"] == "nowhere: no part of the picture matters more than another"


def test_dark_and_light_are_swapped_for_the_map_too(site, as_file):
    with Image.open(PHOTO) as photo:
        small = photo.convert("L").resize((28, 28))
    swapped = Image.fromarray(255 - np.asarray(small))
    assert maps(site, as_file(small), "/map?swap=1") == maps(site, as_file(swapped))


def test_two_networks_have_a_map_each_for_their_own_answers(relabelled, tmp_path):
    names = [f"kind {number}" for number in range(10)]
    other = relabelled(tmp_path / "other.onnx", names, resize="stretch")
    with serving([SHIPPED, other]) as site:
        first, second = maps(site, PHOTO.read_bytes())
    assert first["about"] in Predictor(SHIPPED).classes
    assert second["about"] in names
    assert first["source"] != second["source"]


@pytest.mark.parametrize("content", [b"", b"these are words", PHOTO.read_bytes()[:3000]])
def test_what_is_no_picture_has_no_map(content, site):
    reply = site.ask("/map", content)
    assert reply.status == 400
    assert reply.json["error"] == "this is no picture that can be read"


def test_a_large_network_is_asked_less_often():
    (shipped,) = open_networks([SHIPPED])
    assert shipped.macs == card(zoo_names()[0]).benchmark.macs
    assert steps_for(shipped.macs, 28, 28) == 4
    assert steps_for(1_000_000_000, 224, 224) == 2
    assert steps_for(None, 28, 28) == 2
