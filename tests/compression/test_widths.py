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


def test_layers_named_get_the_width_asked_and_the_others_give_what_is_left_of_the_ratio():
    costs, scores = chain(192, 128), np.random.default_rng(3).random(320)
    kept = chosen(costs, scores, 0.5, {"w0": 37})
    assert kept[:192].sum() == 37
    assert scores[:192][kept[:192]].min() > scores[:192][~kept[:192]].max()
    assert kept[192:].all()  # 37 alone take more than half
    assert macs(37, 128) < 0.5 * macs(192, 128)
    alone = chosen(costs, scores, 0.0, {"w1": 16})
    assert alone[:192].all()
    assert alone[192:].sum() == 16


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"w3": 8}, r"(?s)--keep w3=8 names no layer.*are: w0, w1"),
        ({"w0": 0}, r"(?s)w0=0 cannot be reached.*1 to 64 channels"),
        ({"w0": 65}, r"(?s)w0=65 cannot be reached.*1 to 64 channels"),
    ],
)
def test_a_width_that_cannot_be_had_is_refused_by_name(asked, why):
    with pytest.raises(UserError, match=why):
        chosen(chain(64, 64), np.ones(128), 0.0, asked)


def test_two_columns_lose_their_channels_together():
    """Of a convolution in two groups every class holds one channel of each."""
    single = chain(32, 32)
    both = np.tile(np.arange(16), 2)
    links = single.channels.links | {("w0", 0): both, ("w1", 1): both, ("w1", 0): np.arange(16, 48)}
    layers = {"w0": both, "w1": np.arange(16, 48)}
    regions = (Region(np.arange(16), "w0", 2, 0), Region(np.arange(16, 48), "w1", 1, 0))
    links["last", 1] = layers["w1"]
    costs = Costs(Channels(48, links, {}, layers, regions, (), single.channels.works, ()), single.shapes)
    assert chosen(costs, np.ones(48), 0.0, {"w0": 10})[:16].sum() == 5
    with pytest.raises(UserError, match=r"(?s)w0=9 cannot be reached.*2 to 32 channels in steps of 2"):
        chosen(costs, np.ones(48), 0.0, {"w0": 9})


def test_a_layer_that_cannot_be_cut_is_refused_with_the_reason():
    costs = chain(64, 64, held=(Held("w0", 64, 64, "it meets a wall"),))
    layers = costs.channels.layers | {"w0": np.full(64, -1)}
    held = Costs(Channels(128, {}, {}, layers, costs.channels.regions, costs.channels.held, (), ()), costs.shapes)
    with pytest.raises(UserError, match=r"(?s)--keep w0=8 cannot be reached.*it meets a wall"):
        chosen(held, np.ones(128), 0.0, {"w0": 8})
