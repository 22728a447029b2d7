import pytest

from econet.deployment.zoo import cards, find, zoo_names
from econet.errors import UserError


def test_artifacts_are_found_by_name_and_misspelt_ones_suggested(tmp_path):
    for name in ("cifar10-econet-78k", "fashion-econet-76k"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text("{}")
    (tmp_path / "half-made").mkdir()
    assert zoo_names(tmp_path) == ["cifar10-econet-78k", "fashion-econet-76k"]
    assert find("fashion-econet-76k", tmp_path) == tmp_path / "fashion-econet-76k" / "model.int8.onnx"
    with pytest.raises(UserError, match="did you mean cifar10-econet-78k"):
        find("cifar10-econet-77k", tmp_path)


def test_an_empty_zoo_says_so(tmp_path):
    with pytest.raises(UserError, match="ships none"):
        find("anything", tmp_path)


def test_a_damaged_card_is_named(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.json").write_text('{"schema": 1}')
    with pytest.raises(UserError, match=r"broken/card\.json"):
        cards(tmp_path)


def test_every_shipped_card_can_be_read():
    assert [card.name for card in cards()] == zoo_names()
