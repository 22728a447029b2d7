import math

import numpy as np
import pytest

from econet.errors import UserError
from econet.files import sha256_of
from econet.measurement.accuracy import (
    Predictions,
    evaluate_predictions,
    paired,
    predictions_of,
    read_predictions,
    write_predictions,
)
from econet.runs.artifact_records import EvaluatedData


def predictions(truth, predicted, classes=3, confidence=0.8):
    predicted = np.asarray(predicted, np.uint16)
    probabilities = np.full((len(predicted), classes), (1 - confidence) / (classes - 1))
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return Predictions(np.asarray(truth, np.uint16), predicted, probabilities)


def evaluation(found, classes):
    data = EvaluatedData(name="d", fingerprint="f", split="test", images=len(found))
    return evaluate_predictions(
        found,
        classes,
        subject="model.onnx",
        precision="fp32",
        data=data,
        predictions_sha256="s",
        test_reads=1,
        seconds=0.5,
    )


def test_an_evaluation_counts_what_a_hand_counts():
    found = evaluation(predictions([0, 0, 1, 1, 1], [0, 1, 1, 1, 0]), ("a", "b", "none of these"))
    assert found.accuracy == 0.6
    assert found.confusion == ((1, 1, 0), (1, 2, 0), (0, 0, 0))
    assert [each.images for each in found.per_class] == [2, 3, 0]
    assert [each.accuracy for each in found.per_class] == [0.5, pytest.approx(2 / 3), None]
    assert found.top5_accuracy is None
    assert found.nll == pytest.approx(-(3 * math.log(0.8) + 2 * math.log(0.1)) / 5)
    assert found.ece == pytest.approx(0.2)
    assert sum(each.images for each in found.reliability) == 5
    z, n, p = 1.959964, 5, 0.6
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    assert found.accuracy_interval == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_top5_counts_a_class_that_is_among_the_five_most_probable():
    probabilities = np.tile([0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05], (4, 1))
    found = Predictions(np.array([0, 4, 5, 6], np.uint16), np.zeros(4, np.uint16), probabilities)
    assert evaluation(found, tuple("abcdefg")).top5_accuracy == 0.5


def test_predictions_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "model.predictions.npz"
    written = predictions([0, 1, 2], [0, 2, 2])
    digest = write_predictions(path, written)
    found = read_predictions(path)
    assert digest == sha256_of(path)
    assert (found.truth == [0, 1, 2]).all()
    assert (found.predicted == [0, 2, 2]).all()
    assert (found.truth.dtype, found.predicted.dtype) == (np.uint16, np.uint16)
    assert found.probabilities.dtype == np.float16
    assert np.allclose(found.probabilities, written.probabilities, atol=1e-3)
    assert [each.name for each in tmp_path.iterdir()] == ["model.predictions.npz"]


@pytest.mark.parametrize("keep", [0, 10, 100, -1])
def test_a_cut_predictions_file_is_named(tmp_path, keep):
    path = tmp_path / "model.predictions.npz"
    write_predictions(path, predictions([0, 1, 2], [0, 2, 2]))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"model\.predictions\.npz"):
        read_predictions(path)


def test_other_arrays_or_pickles_are_refused(tmp_path):
    path = tmp_path / "p.npz"
    for arrays in (
        {"truth": np.zeros(3)},
        {"truth": np.zeros(3), "predicted": np.zeros(2), "probabilities": np.zeros((3, 2))},
        {name: np.array([{}], dtype=object) for name in ("truth", "predicted", "probabilities")},
    ):
        np.savez(path, **arrays)
        with pytest.raises(UserError, match="cannot read the predictions"):
            read_predictions(path)


def test_pairs_count_who_alone_was_right():
    truth = [0, 0, 1, 1, 2, 2]
    baseline, candidate = predictions(truth, [0, 0, 1, 0, 0, 2]), predictions(truth, [0, 1, 0, 1, 0, 2])
    assert paired(baseline, candidate) == (2, 1, 6)


def test_predictions_on_different_images_are_not_paired():
    with pytest.raises(UserError, match=r"different images \(3 and 2\)"):
        paired(predictions([0, 1, 2], [0, 1, 2]), predictions([0, 1], [0, 1]))
    with pytest.raises(UserError, match="different images"):
        paired(predictions([0, 1], [0, 1]), predictions([1, 0], [0, 1]))


def test_the_answer_is_the_largest_logit():
    logits = np.array([[1, 3, 2], [5, 5, 0]], np.float32)
    assert (predictions_of(logits, logits, np.array([1, 2])).predicted == [1, 0]).all()
