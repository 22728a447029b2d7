"""`explain` of files and runs: answers, maps, agreement and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

import econet
from econet.deployment.predictor import Predictor
from econet.errors import UserError
from econet.explanation.agreement import rank_correlation, top_overlap
from econet.jobs.explain import ExplainOptions, explain
from econet.jobs.export import export_run
from econet.jobs.options import PruneOptions, TrainOptions
from econet.jobs.prune import prune
from econet.jobs.where_they_looked import where_they_looked
from econet.training.progress import Silent
from patch_networks import PATCH_PLACE, constant_network, inside_patch, patch_network, patched_picture, written

QUICK = ExplainOptions(masks=400)


class Own(nn.Module):
    """A user's own network, which pools and flattens outside any module."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)
        self.last = nn.Linear(32 * 9, classes)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.last(functional.max_pool2d(x, 2).flatten(1))


def own(classes: int) -> nn.Module:
    return Own(classes)


@pytest.fixture
def file(tmp_path):
    return written(patch_network(3), 3, tmp_path / "by-hand.onnx")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(patched_picture(3)).save(path)
    return path


def asked(subjects, images, **changed):
    return explain(subjects, images, replace(QUICK, **changed), Silent())


def test_a_file_tells_its_answer_and_where_it_comes_from(file, picture):
    explained = asked([file], [picture])
    (image,), (shown,) = explained.record.images, explained.pictures
    (explanation,) = image.explanations
    expected = Predictor(file).predict(picture)
    answers = [(each.label, each.probability) for each in explanation.answers]
    assert answers == [(each.label, pytest.approx(each.probability)) for each in expected]
    assert (explanation.map.method, explanation.map.asked, explanation.map.score) == ("masks", 400, "log-probability")
    assert explanation.map.about == "red"
    assert explanation.map.place == "upper right"
    assert inside_patch(shown.maps[0]) > 0.6
    np.testing.assert_array_equal(shown.seen[0], patched_picture(3))
    assert np.argmax(explanation.map.grid) in {8 * row + column for row in (1, 2) for column in (4, 5, 6)}


def test_another_class_and_another_method_are_explained_when_asked_for(file, picture):
    found = asked([file], [picture], label="other", method="occlusion").record.images[0].explanations[0].map
    assert (found.about, found.method, found.asked) == ("other", "occlusion", 362)
    assert found.place != "upper right"
    with pytest.raises(UserError, match="othr") as refused:
        asked([file], [picture], label="othr")
    assert "other" in str(refused.value)


def test_two_equal_files_agree_fully(file, picture, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(file.read_bytes())
    explained = asked([file, copy], [picture])
    found = explained.record.images[0].agreement
    assert found.same_answer
    assert found.rank_correlation == pytest.approx(1)
    assert found.top_overlap == 1
    np.testing.assert_array_equal(*explained.pictures[0].maps)


def test_two_files_are_asked_about_the_same_class_and_held_against_each_other(file, picture, tmp_path):
    opposite = patch_network(3)
    opposite.layers[2].linear.weight.data[0] *= -1
    other = written(opposite, 3, tmp_path / "opposite.onnx")
    explained = asked([file, other], [picture])
    image, maps = explained.record.images[0], explained.pictures[0].maps
    assert [each.map.about for each in image.explanations] == ["red", "red"]
    assert not image.agreement.same_answer
    assert image.agreement.rank_correlation == pytest.approx(rank_correlation(*maps))
    assert image.agreement.top_overlap == pytest.approx(top_overlap(*maps))
    assert image.agreement.top_overlap < 0.1


def test_a_flat_map_says_so_and_agrees_with_nothing(file, picture, tmp_path):
    flat = written(constant_network(3), 3, tmp_path / "flat.onnx")
    image = asked([flat, file], [picture]).record.images[0]
    assert image.explanations[0].map.flat
    assert image.explanations[0].map.place is None
    assert image.agreement.rank_correlation is None
    assert image.agreement.top_overlap is None


def test_evidence_holds_the_map_against_random_masks_and_random_weights(file, picture):
    found = asked([file], [picture], evidence=True).record.images[0].explanations[0].evidence
    assert found.deletion < found.random_deletion
    assert found.insertion > found.random_insertion
    assert found.forgotten is None or found.forgotten < 0.99


def test_other_classes_no_picture_and_what_a_file_cannot_do_are_refused(file, picture, tmp_path):
    with pytest.raises(UserError, match="has no Grad-CAM") as refused:
        asked([file], [picture], method="grad-cam")
    assert "a file gives answers and no gradients" in refused.value.why
    with pytest.raises(UserError, match="--neighbours needs the run"):
        asked([file], [picture], neighbours=3)
    with pytest.raises(UserError, match="--masks"):
        asked([file], [picture], masks=3)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"broken\.png"):
        asked([file], [broken])


def test_a_run_is_explained_by_gradcam_beside_its_file_and_its_training_pictures(
    trained, clothes_data, clothes_folder, tmp_path
):
    run = trained("clothes", epochs=1)
    export_run(run, clothes_data, int8=False, parity_drop=1.0, progress=Silent())
    shown = clothes_data.train.pixels[7]
    picture = tmp_path / "seven.png"
    Image.fromarray(shown[..., 0]).save(picture)
    explained = asked([run.folder], [picture], neighbours=4, data_dir=clothes_folder, evidence=True)
    image = explained.record.images[0]
    found = image.explanations[0].map
    assert (found.method, found.score, explained.record.subjects[0].kind) == ("grad-cam", "logit", "network")
    assert found.places[0] > 1
    assert image.neighbours[0].distance == pytest.approx(0, abs=1e-4)
    assert image.neighbours[0].position == 7
    np.testing.assert_array_equal(explained.pictures[0].neighbours[0], shown)
    evidence = image.explanations[0].evidence
    assert all(0 < area < 1 for area in (evidence.deletion, evidence.insertion, evidence.random_deletion))

    beside = asked([run.folder, run.artifact("fp32")], [picture]).record.images[0]
    assert [each.map.method for each in beside.explanations] == ["masks", "masks"]
    assert beside.agreement.same_answer
    assert beside.agreement.rank_correlation > 0.999
    assert where_they_looked(run.artifact("fp32"), run.artifact("fp32"), shown[None]) is not None


def test_a_users_own_network_and_what_pruning_left_of_it_have_gradcam_maps(trained, clothes_data, tmp_path):
    run = trained("own", model=f"{__name__}:own", epochs=1)
    cut = PruneOptions(ratio=0.5, tuning=TrainOptions(epochs=0, batch_size=48, deterministic=True, threads=1))
    narrow = prune(run, tmp_path / "narrow", clothes_data, cut, Silent())
    picture = tmp_path / "picture.png"
    Image.fromarray(clothes_data.test.pixels[0, ..., 0]).save(picture)
    image = asked([run.folder, narrow.folder], [picture]).record.images[0]
    assert [each.map.method for each in image.explanations] == ["grad-cam", "grad-cam"]
    assert [each.map.places for each in image.explanations] == [(7, 7), (7, 7)]


def test_hand_crafted_features_are_refused_by_name_and_explained_by_their_answers(trained, clothes_data, tmp_path):
    pytest.importorskip("skimage")
    run = trained("hog", model="hog_linear", epochs=None, time_s=None, batch_size=None)
    picture = tmp_path / "picture.png"
    Image.fromarray(clothes_data.test.pixels[0, ..., 0]).save(picture)
    with pytest.raises(UserError, match="has no Grad-CAM") as refused:
        asked([run.folder], [picture])
    assert "hog_linear is no network" in refused.value.why
    assert asked([run.folder], [picture], method="masks", masks=20).record.subjects[0].kind == "hand-crafted"


def test_the_maps_of_a_comparison_are_each_files_own(file, tmp_path):
    flat = written(constant_network(3), 3, tmp_path / "flat.onnx")
    looked = where_they_looked(flat, file, patched_picture(3)[None])
    assert looked.baseline.shape == looked.candidate.shape == (1, 32, 32)
    assert looked.baseline.max() == 0
    assert looked.candidate.max() == 255
    strongest = np.unravel_index(looked.candidate[0].argmax(), (32, 32))
    assert all(place.start <= found < place.stop for place, found in zip(PATCH_PLACE, strongest, strict=True))


def test_a_comparison_of_networks_that_cost_too_much_has_no_maps(file, monkeypatch):
    monkeypatch.setattr("econet.jobs.where_they_looked._MACS", 10)
    assert where_they_looked(file, file, patched_picture(3)[None]) is None


def test_the_same_seed_gives_the_same_record(file, picture):
    first, again = (asked([file], [picture], seed=4).record for _ in range(2))
    assert first.images == again.images
    assert asked([file], [picture], seed=5).record.images != first.images


def test_a_photo_is_turned_as_its_camera_says_before_it_is_explained(file, tmp_path):
    image = Image.fromarray(patched_picture(3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise by whoever shows it
    path = tmp_path / "turned.png"
    image.save(path, exif=exif)
    explained = asked([file], [Path(path)])
    np.testing.assert_array_equal(explained.pictures[0].seen[0], np.rot90(patched_picture(3), -1))
    assert explained.record.images[0].explanations[0].map.place == "lower right"


def test_python_and_notebooks_explain_too(file, picture, tmp_path):
    hostile = tmp_path / "<b>.png"
    picture.rename(hostile)
    explained = econet.explain(file, hostile, against=file, masks=30)
    assert explained.record.images[0].agreement.top_overlap == 1
    shown = explained._repr_html_()
    assert shown.count('<img src="data:image/png;base64,') == 3
    assert "<b>" not in shown
