import msgspec
import numpy as np
import pytest
from PIL import Image

from econet.deployment.onnx_export import export_network
from econet.deployment.predictor import Predictor
from econet.errors import UserError


def test_probabilities_are_the_softmax_of_the_logits(artifact, clothes):
    predictor = Predictor(artifact)
    weights = np.exp(predictor.logits(clothes).astype(np.float64))
    assert np.allclose(predictor.probabilities(clothes), weights / weights.sum(1, keepdims=True), atol=1e-6)


def test_many_images_get_the_same_logits_as_one_by_one(artifact, clothes):
    predictor = Predictor(artifact)
    many = predictor.logits(np.concatenate([clothes] * 5))
    single = np.concatenate([predictor.logits(image[None]) for image in clothes])
    assert many.shape == (320, 10)
    assert np.allclose(many, np.concatenate([single] * 5), atol=1e-4)


def test_a_picture_file_an_array_and_a_gray_array_get_the_same_answer(artifact, clothes, tmp_path):
    predictor = Predictor(artifact)
    path = tmp_path / "shirt.png"
    Image.fromarray(clothes[0, :, :, 0]).save(path)
    answers = [predictor.predict(each) for each in (path, str(path), clothes[0], clothes[0, :, :, 0])]
    assert all(answer == answers[0] for answer in answers)


def test_the_likeliest_classes_come_first(artifact, clothes):
    found = Predictor(artifact).predict(clothes[3], top=3)
    probabilities = Predictor(artifact).probabilities(clothes[3:4])[0]
    order = sorted(range(10), key=lambda index: -probabilities[index])[:3]
    assert [each.label for each in found] == ["abcdefghij"[index] for index in order]
    assert [each.probability for each in found] == pytest.approx(probabilities[order])


def test_pictures_of_any_size_are_resized_where_the_record_says_so(slim, gray, classes, clothes, tmp_path):
    path = tmp_path / "m.onnx"
    stretching = msgspec.structs.replace(gray, resize="stretch")
    path.write_bytes(export_network(slim, stretching, classes, "n").SerializeToString())
    doubled = clothes[0].repeat(2, axis=0).repeat(2, axis=1)
    picture = Image.fromarray(doubled[:, :, 0]).resize((28, 28), Image.Resampling.BILINEAR)
    expected = Predictor(path).probabilities(np.asarray(picture)[None, :, :, None])[0].max()
    assert Predictor(path).predict(doubled, top=1)[0].probability == pytest.approx(float(expected))


def test_a_picture_of_another_size_is_refused_where_nothing_resizes(artifact):
    with pytest.raises(UserError, match="a picture of 30x20 does not fit"):
        Predictor(artifact).predict(np.zeros((30, 20, 1), np.uint8))


def test_a_picture_of_the_wrong_kind_is_refused(artifact):
    with pytest.raises(UserError, match=r"float64 and shape \(28, 28, 1\)"):
        Predictor(artifact).predict(np.zeros((28, 28, 1)))
    with pytest.raises(UserError, match=r"shape \(28, 28, 3\)"):
        Predictor(artifact).predict(np.zeros((28, 28, 3), np.uint8))


def test_the_centre_is_cut_out_of_stored_images(slim, gray, classes, clothes, tmp_path):
    path = tmp_path / "m.onnx"
    cropping = msgspec.structs.replace(gray, resize_size=(32, 32), crop="centre")
    path.write_bytes(export_network(slim, cropping, classes, "n").SerializeToString())
    padded = np.pad(clothes, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=9)
    plain = tmp_path / "p.onnx"
    plain.write_bytes(export_network(slim, gray, classes, "n").SerializeToString())
    assert np.array_equal(Predictor(path).logits(padded), Predictor(plain).logits(clothes))
    with pytest.raises(ValueError, match="expected uint8 images"):
        Predictor(path).logits(clothes)


def test_a_file_that_is_no_picture_is_named(artifact, tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_text("dear reader")
    with pytest.raises(UserError, match=r"cannot read the picture .*letter\.jpg"):
        Predictor(artifact).predict(path)
