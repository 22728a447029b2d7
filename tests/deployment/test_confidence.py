"""An artifact says how sure it is, leanly, without changing an answer; one that holds nothing behaves as before."""

import math

import msgspec
import numpy as np
import onnx
import pytest
from scipy.special import log_softmax, softmax

from econet.data.split import choosing_half
from econet.deployment.confidence import (
    KEY,
    covering,
    embed_confidence,
    fit_confidence,
    probabilities_of,
    read_confidence,
    score_limit,
    unlike,
)
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.runs.confidence_records import Confidence
from econet.statistics.conformal import coverage_interval, threshold
from econet.statistics.temperature import fit_temperature


def drawn(images, seed=0):
    """Logits of 5 classes that are twice too sure, and labels drawn from half of them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (images, 5))
    labels = np.array([random.choice(5, p=row) for row in softmax(logits, axis=1)])
    return (2 * logits).astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted():
    logits, labels = drawn(1200)
    choosing = choosing_half(1200, seed=3)
    return logits, labels, choosing, fit_confidence(logits, labels, choosing)


def test_the_halves_are_random_disjoint_and_the_same_each_time():
    half = choosing_half(101, 7)
    assert half.sum() == 51
    assert (half == choosing_half(101, 7)).all()
    assert (half != choosing_half(101, 8)).any()
    assert 10 < half[:50].sum() < 40


def test_the_temperature_comes_from_one_half_and_the_thresholds_from_the_other(fitted):
    logits, labels, choosing, confidence = fitted
    assert confidence.temperature == pytest.approx(fit_temperature(logits[choosing], labels[choosing]), rel=1e-3)
    rest = ~choosing
    strange = -log_softmax(logits[rest].astype(float) / confidence.temperature, axis=1)
    strange = strange[np.arange(600), labels[rest]]
    assert confidence.images == (600, 600)
    assert len(confidence.scores) == 50
    for place, found in enumerate(confidence.scores):
        exact = threshold(strange, (50 + place) / 100)
        assert exact <= found <= exact * 1.001  # rounded up, so that nothing is covered less
    calm = logits[rest].astype(float)
    familiarity = np.sort(np.log(np.exp(calm).sum(1)) - calm.mean(1))
    exact = familiarity[math.floor(601 * 0.05) - 1]
    assert exact * 0.999 <= confidence.familiar <= exact


def test_new_images_are_covered_as_stated(fitted):
    confidence = fitted[3]
    logits, labels = drawn(4000, seed=1)
    for stated in (0.5, 0.8, 0.9, 0.95):
        sets = covering(logits, confidence, stated)
        low, high = coverage_interval(600, stated, 4000, level=0.999)
        assert low <= sets[np.arange(4000), labels].mean() <= high
    assert unlike(logits, confidence).mean() == pytest.approx(0.05, abs=0.03)


def test_no_answer_changes_and_probabilities_are_scipys(fitted):
    logits, _, _, confidence = fitted
    found = probabilities_of(logits, confidence)
    assert np.allclose(found, softmax(logits.astype(float) / confidence.temperature, axis=1), atol=1e-6)
    assert (found.argmax(1) == logits.argmax(1)).all()
    assert np.allclose(probabilities_of(logits, None), softmax(logits.astype(float), axis=1), atol=1e-6)


def test_a_coverage_between_two_percents_is_that_of_the_upper_one(fitted):
    confidence = fitted[3]
    assert score_limit(confidence, 0.9) == confidence.scores[40]
    assert score_limit(confidence, 0.895) == confidence.scores[40]
    assert score_limit(confidence, 0.5) == confidence.scores[0]
    for coverage in (0.49, 0.995, 1.5):
        with pytest.raises(UserError, match="cannot be stated"):
            score_limit(confidence, coverage)


def test_few_images_state_no_high_coverage_and_too_few_none():
    logits, labels = drawn(110)
    confidence = fit_confidence(logits, labels, choosing_half(110, 0))
    # Of 55 images the rank ceil(56 c) is within 55 up to 98 %.
    assert len(confidence.scores) == 49
    assert score_limit(confidence, 0.99) == math.inf
    assert covering(logits, confidence, 0.99).all()
    assert fit_confidence(logits[:99], labels[:99], choosing_half(99, 0)) is None


def with_confidence(artifact, confidence):
    model = onnx.load(artifact)
    embed_confidence(model, confidence)
    artifact.write_bytes(model.SerializeToString())
    return model


def test_it_is_lean_and_read_back_from_the_file(artifact, fitted):
    before = artifact.stat().st_size
    model = with_confidence(artifact, fitted[3])
    assert artifact.stat().st_size - before < 700
    assert Predictor(artifact).confidence == fitted[3]
    embed_confidence(model, fitted[3])  # again: one entry
    assert [entry.key for entry in model.metadata_props].count(KEY) == 1


def test_a_file_without_it_answers_as_before(artifact, clothes):
    predictor = Predictor(artifact)
    assert predictor.confidence is None
    answer = predictor.answer(clothes[0])
    assert (answer.none_of_these, answer.covering) == (None, None)
    assert answer.predictions == predictor.predict(clothes[0])
    logits = predictor.logits(clothes).astype(float)
    assert np.allclose(predictor.probabilities(clothes), softmax(logits, axis=1), atol=1e-6)
    with pytest.raises(UserError, match="cannot state a coverage"):
        predictor.answer(clothes[0], coverage=0.9)


def test_the_predictor_gives_tempered_probabilities_sets_and_alarms(artifact, clothes):
    logits = Predictor(artifact).logits(clothes).astype(float)
    spread = -log_softmax(logits, axis=1).mean(1)
    limits = tuple(np.linspace(0.1, 3.0, 50).tolist())
    with_confidence(
        artifact,
        Confidence(
            temperature=2.5, scores=limits, familiar=float(np.median(spread)), false_alarms=0.05, images=(60, 60)
        ),
    )
    predictor = Predictor(artifact)
    expected = softmax(logits / 2.5, axis=1)
    assert np.allclose(predictor.probabilities(clothes), expected, atol=1e-6)
    for picture, row, far in zip(clothes, expected, spread, strict=True):
        answer = predictor.answer(picture, coverage=0.8)
        inside = [predictor.classes[k] for k in np.argsort(-row) if -math.log(row[k]) <= limits[30]]
        assert [each.label for each in answer.covering] == inside
        assert answer.none_of_these == (far < np.median(spread))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"temperature":0,"scores":[],"familiar":0,"false_alarms":0.05,"images":[50,50]}', "temperature is 0"),
        ('{"temperature":1,"scores":[2,1],"familiar":0,"false_alarms":0.05,"images":[50,50]}', "do not rise"),
        ('{"temperature":1}', "scores"),
        ("[1]", "Expected `object`"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(artifact, text, why):
    model = onnx.load(artifact)
    model.metadata_props.add(key=KEY, value=text)
    with pytest.raises(UserError, match=r"model\.onnx") as caught:
        read_confidence(model, artifact)
    assert why in caught.value.why


def test_its_json_is_a_few_hundred_bytes(fitted):
    assert len(msgspec.json.encode(fitted[3])) < 650
