"""A true map passes the tests of an explanation, and a map that never asked the network fails them."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.explanation.agreement import rank_correlation
from econet.explanation.edges import edge_map
from econet.explanation.evidence import STEPS, against_random, curves, depends_on_weights, mean_of
from econet.explanation.hiding import blurred
from econet.explanation.occlusion import occlusion_map
from econet.explanation.question import Question
from econet.explanation.randomised_file import forgetful_files, weights_in_order
from econet.explanation.randomised_network import forgetful_networks


def test_the_curves_are_those_of_hiding_and_showing_pixel_after_pixel(question):
    found = occlusion_map(question)
    deletion, insertion = curves(question, found)
    order = np.argsort(-found, axis=None, kind="stable")
    for step in (0, 1, 7, STEPS):
        gone = np.zeros(found.size, bool)
        gone[order[: int(np.ceil(step * found.size / STEPS))]] = True
        gone = gone.reshape(found.shape)[..., None]
        for curve, shown in ((deletion, ~gone), (insertion, gone)):
            picture = np.where(shown, question.picture, question.hidden)
            logits = question.answer(picture[None])[0].astype(np.float64)
            assert curve[step] == pytest.approx(np.exp(logits[0]) / np.exp(logits).sum(), abs=1e-6)


def test_a_true_map_beats_random_masks_and_its_opposite_loses(question):
    found = occlusion_map(question)
    true, false = (against_random(question, each, seed=0) for each in (found, -found))
    assert true.deletion_gain > 0.02
    assert true.insertion_gain > 0.02
    assert false.deletion_gain < 0
    assert false.insertion_gain < 0
    assert true.random == false.random


def test_means_have_the_paired_t_interval():
    mean = mean_of([0.1, 0.2, 0.3, 0.4])
    half = 3.182446 * np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    assert mean.value == pytest.approx(0.25)
    assert mean.interval == pytest.approx((0.25 - half, 0.25 + half), abs=1e-5)
    assert mean.images == 4


def correlations(map_of, answers, picture, question) -> list[float | None]:
    """Of a map with what the same map is of networks with shuffled weights."""
    found = map_of(question)
    return [
        rank_correlation(found, map_of(Question(answer, picture, question.hidden, question.label)))
        for answer in answers
    ]


def shuffled_answers(path, count: int):
    """The file with all its weights shuffled, in several ways."""
    return [list(forgetful_files(path, seed=seed))[-1][1] for seed in range(count)]


def test_edges_never_ask_the_network_and_fail_where_a_true_map_passes(question, network_file, picture):
    answers = shuffled_answers(network_file, 6)
    edges = correlations(lambda asked: edge_map(asked.picture), answers, picture, question)
    assert edges == pytest.approx([1] * 6)
    mean, holds = depends_on_weights(edges)
    assert mean.value == pytest.approx(1)
    assert not holds


def test_maps_that_change_with_the_weights_pass():
    mean, holds = depends_on_weights([0.1, -0.2, 0.05, None, 0.0, -0.1])
    assert holds
    assert mean.value == pytest.approx((0.1 - 0.2 + 0.05 - 0.1) / 6)
    assert not depends_on_weights([0.9, -0.9, 0.9, -0.8, 0.9])[1]


def test_a_file_forgets_from_its_last_layer_on_and_keeps_the_values(network_file):
    model = onnx.load(network_file)
    before = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    order = weights_in_order(model)
    forgotten = [name for name, _ in forgetful_files(network_file, seed=0)]
    assert forgotten == order[::-1]
    assert [before[name].shape[0] for name in order] == [2, 2]
    assert {before[name].ndim for name in order} == {2, 4}


def test_a_file_with_shuffled_weights_answers_otherwise_and_the_same_for_the_same_seed(network_file, picture):
    whole = Predictor(network_file).input_logits(picture[None])
    again = [shuffled_answers(network_file, 1)[0](picture[None]) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    others = [answer(picture[None]) for answer in shuffled_answers(network_file, 6)]
    assert any(not np.allclose(each, whole) for each in others)


def test_a_network_forgets_from_its_last_weight_on_and_stays_itself(network):
    before = {name: value.clone() for name, value in network.named_parameters()}
    names = []
    for name, forgetful in forgetful_networks(network, seed=3):
        names.append(name)
        now = dict(forgetful.named_parameters())
        assert sorted(now[name].flatten().tolist()) == sorted(before[name].flatten().tolist())
        untouched = [each for each in before if each not in names]
        assert all(now[each].equal(before[each]) for each in untouched)
    assert names == ["layers.2.linear.weight", "layers.0.conv.weight"]
    assert all(value.equal(before[name]) for name, value in network.named_parameters())


def test_the_weights_of_other_formats_are_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"small\.tflite"):
        next(forgetful_files(tmp_path / "small.tflite", seed=0))


def test_what_is_hidden_has_lost_its_parts_and_kept_its_brightness(picture):
    hidden = blurred(picture)
    assert hidden.shape == picture.shape
    assert hidden.mean() == pytest.approx(picture.mean(), abs=6)
    assert np.abs(np.diff(hidden.astype(int), axis=0)).max() < np.abs(np.diff(picture.astype(int), axis=0)).max() / 3
