import base64
import io

import numpy as np
import pytest
from PIL import Image

from econet.measurement.accuracy import Predictions
from econet.report.pictures import WhereTheyLooked, read_pictures, write_pictures, wrong_alone


def predictions(truth, predicted, confidence, classes=4):
    probabilities = np.full((len(truth), classes), 0.0, dtype=np.float16)
    probabilities[np.arange(len(truth)), predicted] = confidence
    return Predictions(np.array(truth, np.uint16), np.array(predicted, np.uint16), probabilities)


def opened(picture):
    """The pixels of an embedded picture."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.source.split(",")[1]))))


def test_each_list_holds_what_that_side_alone_gets_wrong_surest_first(tmp_path):
    truth = [0, 1, 2, 3, 0]
    baseline = predictions(truth, [0, 1, 2, 0, 1], [0.9, 0.8, 0.7, 0.6, 0.5])
    candidate = predictions(truth, [1, 1, 3, 3, 1], [0.5, 0.9, 0.75, 0.9, 0.9])
    pixels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 8, 8, 1), dtype=np.uint8)
    path = write_pictures(tmp_path, pixels, baseline, candidate)
    small = read_pictures(path, "candidate")
    assert [(p.truth, p.candidate, p.baseline) for p in small] == [(2, 3, 2), (0, 1, 0)]
    assert [p.candidate_confidence for p in small] == [0.75, 0.5]
    assert [int(opened(p)[0, 0]) for p in small] == [2, 0]
    assert [(p.truth, p.baseline, p.candidate) for p in read_pictures(path, "baseline")] == [(3, 0, 3)]


def test_at_most_twelve_are_chosen_and_every_class_gets_a_turn_before_any_gets_a_second(tmp_path):
    truth = [0] * 40 + [1, 2, 3]
    wrong = [(label + 1) % 4 for label in truth]
    confidence = [0.99] * 40 + [0.3, 0.3, 0.3]
    pixels = np.zeros((43, 8, 8, 3), dtype=np.uint8)
    path = write_pictures(
        tmp_path, pixels, predictions(truth, truth, [0.9] * 43), predictions(truth, wrong, confidence)
    )
    chosen = [picture.truth for picture in read_pictures(path, "candidate")]
    assert len(chosen) == 12
    assert sorted(chosen[:4]) == [0, 1, 2, 3]


def test_no_disagreement_makes_empty_lists(tmp_path):
    same = predictions([0, 1], [0, 1], [0.9, 0.9])
    path = write_pictures(tmp_path, np.zeros((2, 8, 8, 1), dtype=np.uint8), same, same)
    assert read_pictures(path, "candidate") == read_pictures(path, "baseline") == []


def test_large_photos_are_kept_small_and_small_ones_whole(tmp_path):
    right, wrong = predictions([0], [0], [0.9]), predictions([0], [1], [0.9])
    path = write_pictures(tmp_path, np.full((1, 300, 200, 3), 7, dtype=np.uint8), right, wrong)
    photo = read_pictures(path, "candidate")[0]
    assert opened(photo).shape == (112, 74, 3)
    assert not photo.crisp
    path = write_pictures(tmp_path, np.full((1, 28, 28, 1), 7, dtype=np.uint8), right, wrong)
    assert read_pictures(path, "candidate")[0].crisp


def test_pictures_of_another_split_are_refused(tmp_path):
    one = predictions([0], [0], [0.9])
    with pytest.raises(ValueError, match="differ in number"):
        write_pictures(tmp_path, np.zeros((2, 8, 8, 1), dtype=np.uint8), one, one)


def test_both_maps_lie_over_the_first_mistakes_of_the_small_network_and_over_no_others(tmp_path):
    truth, wrong = [0, 1, 2], [1, 2, 0]
    right_side, wrong_side = predictions(truth, truth, [0.9] * 3), predictions(truth, wrong, [0.9, 0.8, 0.7])
    pixels = np.full((3, 8, 8, 1), 100, dtype=np.uint8)
    assert wrong_alone(wrong_side, right_side) == [0, 1, 2]
    maps = np.zeros((2, 8, 8), np.uint8)
    maps[:, 2, 5] = 255
    path = write_pictures(tmp_path, pixels, right_side, wrong_side, WhereTheyLooked(baseline=0 * maps, candidate=maps))
    first, second, third = read_pictures(path, "candidate")
    for picture in (first, second):
        # 0.4 of the gray 100 and 0.6 of the scale's bright end
        assert opened(picture.candidate_map)[2, 5].tolist() == [192, 179, 74]
        assert (opened(picture.baseline_map) == 100).all()
    assert third.candidate_map is third.baseline_map is None


def test_maps_of_large_photos_are_kept_as_small_as_they(tmp_path):
    right_side, wrong_side = predictions([0], [0], [0.9]), predictions([0], [1], [0.9])
    looked = WhereTheyLooked(*(np.full((1, 300, 200), 9, np.uint8) for _ in range(2)))
    pixels = np.full((1, 300, 200, 3), 7, dtype=np.uint8)
    photo = read_pictures(write_pictures(tmp_path, pixels, right_side, wrong_side, looked), "candidate")[0]
    assert (photo.candidate_map.width, photo.candidate_map.height) == (photo.width, photo.height) == (74, 112)
