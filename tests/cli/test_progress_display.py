import io

import pytest

from econet.cli.bars import Bars
from econet.cli.lines import Lines
from econet.cli.terminal import Terminal
from econet.runs.records import Epoch
from econet.training.progress import Progress, Silent


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ended(number: int) -> Epoch:
    return Epoch(
        epoch=number,
        step=100 * number,
        loss=0.4321,
        train_accuracy=0.851,
        validation_loss=0.5,
        validation_accuracy=0.872,
        lr=0.1,
        seconds=65.0 * number,
        images_per_s=2345.4,
    )


def story(progress: Progress) -> None:
    progress.note("measured [bold]two[/bold] threads")
    progress.begin("econet on fashion-mnist", 1200, 100)
    progress.advance(150, 0.5678, 2300.0)
    progress.epoch(ended(2), 12)
    progress.end()


def test_without_a_terminal_an_epoch_is_one_plain_line():
    stream = io.StringIO()
    story(Lines(stream))
    assert stream.getvalue().splitlines() == [
        "measured [bold]two[/bold] threads",
        "econet on fashion-mnist: 1,200 steps, going on at 100",
        "  epoch  2/12  loss 0.432  train 85.1 %  validation 87.2 %  2,345 images/s  2 min 10 s",
    ]


def test_on_a_terminal_the_bar_shows_epoch_loss_accuracy_and_rate(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Screen()
    story(Bars(stream))
    shown = stream.getvalue()
    for part in ("measured [bold]two[/bold] threads", "loss 0.568", "epoch 2/12", "val 87.2 %", "2,345 images/s"):
        assert part in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is given back"


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Screen()
    story(Bars(stream))
    assert "epoch 2/12" in stream.getvalue()
    assert not [part for part in stream.getvalue().split("\x1b[")[1:] if part.split("m")[0] in ("36", "90", "91")]


def test_the_cursor_comes_back_when_a_bar_is_cut_short_and_begun_again():
    stream = Screen()
    bars = Bars(stream)
    bars.begin("first", 10, 0)
    bars.begin("second", 10, 0)
    bars.end()
    bars.end()
    assert stream.getvalue().count("\x1b[?25h") == stream.getvalue().count("\x1b[?25l")


@pytest.mark.parametrize(
    ("stream", "environment", "kind"),
    [
        (io.StringIO(), {"TERM": "xterm"}, Lines),
        (Screen(), {"TERM": "xterm"}, Bars),
        (Screen(), {"TERM": "dumb"}, Lines),
        (Screen(), {"TERM": "xterm", "RANK": "1"}, Silent),
        (Screen(), {"TERM": "xterm", "RANK": "0"}, Bars),
    ],
    ids=["a file", "a terminal", "a dumb terminal", "the second process of two", "the first process of two"],
)
def test_who_listens_decides_how_progress_is_told(monkeypatch, stream, environment, kind):
    monkeypatch.delenv("RANK", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(Terminal(err=stream).progress()) is kind


def test_quiet_is_silent():
    stream = io.StringIO()
    terminal = Terminal(err=stream)
    terminal.quiet = True
    story(terminal.progress())
    terminal.note("next: nothing")
    assert stream.getvalue() == ""
