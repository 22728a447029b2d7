"""The page of figures tells what was measured, draws filters true to their weights, and escapes outside names."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from made_figures import made_figures
from PIL import Image

from econet.report.figures import Column
from econet.report.figures_page import colour_words, filter_pixels, purity_words, write_figures


@pytest.fixture
def pictures(clothes_data):
    return clothes_data.test.pixels[:6]


@pytest.fixture
def figures(pictures):
    return made_figures(pictures)


def drawn(page: str) -> list[np.ndarray]:
    """Every picture on the page, in its order."""
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))) for source in sources]


def test_a_filter_is_gray_at_zero_and_full_at_its_largest_weight():
    weights = np.array([[[0.0, 0.5], [-1.0, 0.25]]] * 3, np.float32)
    weights[2] = 0
    pixels = filter_pixels(weights)
    # 127.5 + 127.5 w, rounded to even.
    assert pixels[..., 0].tolist() == [[128, 191], [0, 159]]
    assert pixels[..., 2].tolist() == [[128, 128], [128, 128]]
    assert filter_pixels(np.zeros((1, 2, 2), np.float32)).tolist() == [[[128], [128]], [[128], [128]]]


def test_every_filter_picture_and_neighbour_is_on_the_page(figures, pictures, tmp_path):
    page = write_figures(tmp_path, figures).read_text()
    found = drawn(page)
    assert len(found) == 48 + 2 + 2 * (1 + 12)
    np.testing.assert_array_equal(found[0], filter_pixels(figures.columns[0].filters[0]))
    np.testing.assert_array_equal(found[24], filter_pixels(figures.columns[1].filters[0]))
    for place, shown in {48: 0, 49: 0, 50: 0, 51: 0, 56: 5, 57: 0, 63: 0}.items():  # the query, then two rows of six
        np.testing.assert_array_equal(found[place], pictures[shown, :, :, 0])


def test_the_columns_colour_and_its_chance_are_told(figures):
    assert colour_words(figures).startswith("The columns' means are 0.00 and 1.00.")
    assert "p = 0.0001): more than chance explains" in colour_words(figures)
    alike = replace(figures, p_value=0.5)
    assert "no more than chance explains" in colour_words(alike)
    one = replace(figures, columns=figures.columns[1:], p_value=None)
    assert colour_words(one) == "Their colourfulness is 1.00 on average."


def test_gray_networks_have_no_colour_to_tell(figures, tmp_path):
    gray = Column(figures.columns[0].filters[:, :1], None)
    made = replace(figures, columns=(gray, gray), p_value=None)
    assert "no colour" in colour_words(made)
    page = write_figures(tmp_path, made).read_text()
    assert "Column b" in page
    assert "<svg" not in page


def test_purity_is_the_share_of_the_pictures_own_class(figures, pictures):
    # 5 of 6 and 6 of 6; 2 of 6 and none.
    assert figures.purity("by_hidden") == pytest.approx(11 / 12)
    assert figures.purity("by_pixels") == pytest.approx(2 / 12)
    assert "92 % are of the picture's own class by the last hidden layer, 17 % by raw pixels" in purity_words(figures)
    assert purity_words(made_figures(pictures, truth=None)) == ""


def test_the_five_likeliest_labels_stand_in_order_and_the_true_one_is_marked(figures, tmp_path):
    page = write_figures(tmp_path, figures).read_text()
    first = page[page.index("<ol>") : page.index("</ol>")]
    assert re.findall(r"width: ([\d.]+)%", first) == ["60.00", "20.00", "10.00", "5.00", "4.00"]
    assert "Bag" not in first  # the sixth of six
    assert first.count('class="true"') == 1
    assert first.index('class="true"') < first.index("Pullover")


def test_nothing_is_marked_where_no_class_is_known(pictures, tmp_path):
    page = write_figures(tmp_path, made_figures(pictures, truth=None)).read_text()
    assert 'class="true"' not in page
    assert 'class="same"' not in page
    assert "own class" not in page


def test_names_from_outside_are_escaped_and_nothing_is_loaded(figures, tmp_path):
    page = write_figures(tmp_path, figures).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_large_pictures_are_reduced(tmp_path):
    large = np.zeros((6, 224, 224, 3), np.uint8)
    page = write_figures(tmp_path, made_figures(large)).read_text()
    assert {picture.shape for picture in drawn(page)[48:]} == {(112, 112, 3)}
