"""In a notebook a run and a prediction show themselves, whatever they are called."""

from econet.deployment.predictor import Prediction
from econet.runs.folder import Run


def test_a_finished_run_tells_its_accuracy(trained):
    run = trained("run")
    shown = run._repr_html_()
    assert f"{run.finished.validation_accuracy:.1%} after {run.finished.epochs} epochs" in shown


def test_a_folder_without_a_run_is_shown_escaped(tmp_path):
    assert Run(tmp_path / "<b>")._repr_html_().endswith("&lt;b&gt;: no run yet</p>")


def test_a_prediction_is_shown_escaped():
    assert Prediction("<script>", 0.25)._repr_html_() == "<p><b>&lt;script&gt;</b> 25.0%</p>"
