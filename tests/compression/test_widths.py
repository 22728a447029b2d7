"""Widths: what was asked is hit as nearly as machines' steps allow, the important stay, no layer is emptied."""

import numpy as np
import pytest

from econet.compression.channels import Channels, Held, Region, Work
from econet.compression.widths import Costs, chosen
from econet.errors import UserError


def chain(*widths: int, held: tuple[Held, ...] = ()) -> Costs:
    """Dense layers one behind the other, the last of them held: 64 inputs, `widths`, 10 answers."""
    numbers = np.split(np.arange(sum(widths)), np.cumsum(widths)[:-1])
    links, layers, shapes, before = {}, {}, {}, None
    for index, (width, classes) in enumerate(zip(widths, numbers, strict=True)):
        links[f"w{index}", 0], layers[f"w{index}"] = classes, classes
        shapes[f"w{index}"] = (width, 64 if before is None else len(before))
        if before is not None:
            links[f"w{index}", 1] = before
        before = classes
    links["last", 1], shapes["last"] = before, (10, len(before))
    regions = tuple(Region(classes, f"w{index}", 1, 0) for index, classes in enumerate(numbers))
    works = tuple(Work(name, 1) for name in shapes)
    return Costs(Channels(sum(widths), links, {}, layers, regions, held, works, ()), shapes)


def macs(a: int, b: int) -> int:
    return 64 * a + a * b + 10 * b


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_the_share_asked_is_hit_within_a_step(ratio):
    costs = chain(192, 128)
    scores = np.random.default_rng(0).random(320)
    kept = chosen(costs, scores, ratio)
    a, b = int(kept[:192].sum()), int(kept[192:].sum())
    assert costs.macs(kept) == macs(a, b)
    everything = {(x, y) for x in (*range(16, 193, 16), 8, 4) for y in (*range(16, 129, 16), 8, 4)}
    best = min(abs(1 - macs(*each) / macs(192, 128) - ratio) for each in everything)
    assert abs(1 - macs(a, b) / macs(192, 128) - ratio) <= best + 0.02


def test_widths_are_multiples_of_16_in_wide_layers_of_8_and_4_in_narrower_ones():
    kept = chosen(chain(192, 40, 20), np.random.default_rng(1).random(252), 0.5)
    wide, middle, narrow = (int(part.sum()) for part in np.split(kept, [192, 232]))
    assert wide < 192
    assert wide % 16 == 0
    assert middle % 8 == 0
    assert narrow % 4 == 0


def test_a_layer_keeps_those_with_the_highest_scores():
    scores = np.random.default_rng(2).permutation(320).astype(float)
    kept = chosen(chain(192, 128), scores, 0.5)
    for part in (slice(0, 192), slice(192, 320)):
        assert scores[part][kept[part]].min() > scores[part][~kept[part]].max()


def test_a_layer_that_matters_little_gives_more():
    scores = np.concatenate([np.full(128, 0.1), np.full(128, 1.0)]) + np.linspace(0, 0.01, 256)
    kept = chosen(chain(128, 128), scores, 0.5)
    assert kept[:128].sum() < kept[128:].sum()


def test_no_layer_is_emptied_even_where_all_its_scores_are_the_lowest():
    scores = np.concatenate([np.zeros(128), np.ones(128)])
    kept = chosen(chain(128, 128), scores, 0.8)
    assert kept[:128].sum() >= 12
    assert kept[128:].any()


def test_more_than_can_go_is_refused_with_the_share_that_can_and_the_reason():
    held = (Held("w9", 3, 3, "it meets a wall"),)
    with pytest.raises(UserError, match=r"(?s)at most 9\d\.\d% .*`w9` cannot be cut: it meets a wall.*--ratio 0\.9\d"):
        chosen(chain(64, 64, held=held), np.ones(128), 0.999)


def test_nothing_asked_keeps_everything():
    assert chosen(chain(30, 50), np.random.default_rng(0).random(80), 0.0).all()
