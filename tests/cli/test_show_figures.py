"""`econet show --figures`: the page in the run's folder, its numbers as JSON, and what is refused."""

import json

import pytest

pytest_plugins = ["cropped_runs"]


@pytest.fixture(scope="module")
def run(cropped_data, tmp_path_factory):
    from cropped_runs import train_small  # once pytest has registered it

    return train_small(tmp_path_factory.mktemp("shown") / "run", cropped_data, epochs=1)


def test_the_page_lies_in_the_folder_and_its_numbers_are_told(run, clothes_folder, econet):
    told = econet("show", run.folder, "--figures", "--data-dir", clothes_folder, "--json", "--quiet")
    assert told.code == 0, told.err
    record = json.loads(told.out)
    assert record["page"] == str(run.folder / "figures.html")
    assert (run.folder / "figures.html").read_text().startswith("<!doctype html>")
    assert record["columns"] == [{"filters": 8, "colourfulness": None}]
    assert len(record["images"]) == 8
    for image in record["images"]:
        assert len(image["predictions"]) == 5
        assert len(image["nearest_hidden"]) == len(image["nearest_pixels"]) == 6
    same = [near["class"] == image["class"] for image in record["images"] for near in image["nearest_pixels"]]
    assert record["purity"]["pixels"] == pytest.approx(sum(same) / 48)


def test_a_person_reads_where_the_page_lies(run, clothes_folder, econet):
    told = econet("show", run.folder, "--figures", "--data-dir", clothes_folder)
    assert told.code == 0, told.err
    assert f"page: {run.folder / 'figures.html'}" in told.out
    assert "comparing 8 pictures with 271 training images" in told.err


def test_pictures_without_figures_are_refused(run_folder, econet):
    told = econet("show", run_folder, "own.png")
    assert told.code == 2
    assert "own.png was given without --figures" in told.err
    assert f"try: econet show {run_folder} --figures own.png" in told.err


def test_a_comparison_has_no_figures_of_its_own(tmp_path, econet):
    (tmp_path / "comparison.json").write_text("{}")
    told = econet("show", tmp_path, "--figures")
    assert told.code == 2
    assert f"econet show {tmp_path}/baseline --figures" in told.err


def test_a_network_of_ones_own_is_refused(run_folder, econet):
    told = econet("show", run_folder, "--figures")
    assert told.code == 2
    assert "network of your own" in told.err
