"""A run says how it was begun, in words that can be typed again."""

import pytest

from econet.runs import provenance


@pytest.mark.parametrize(
    ("started", "told"),
    [
        (["/usr/bin/econet", "train", "my photos"], "econet train 'my photos'"),
        (["/lib/econet/__main__.py", "train", "x"], "econet train x"),
        (["study.py"], "study.py"),
        ([""], "python"),
    ],
)
def test_the_command_can_be_typed_again(monkeypatch, started, told):
    monkeypatch.setattr("sys.argv", started)
    assert provenance.command() == told
