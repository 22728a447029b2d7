"""The page of the rivals holds the figures of the records, and says plainly where EcoNet loses."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from msgspec.structs import replace

from econet.report import rivals_page
from econet.runs.recipe_records import RecipeResult
from econet.runs.record import read_record
from econet.runs.records import MachineChoices, Plan, TrainingConfig
from econet.runs.rival_records import RivalAsked, RivalPace, RivalResult, RivalTrial

KEPT = Path(__file__).parents[2] / "recipes" / "results" / "cifar10-econet" / "seed-0.json"
# Of each network: accuracy, MACs, bytes, p50 ms, p95 ms, CPU s, MB; all have the same parameters.
FIGURES = {
    "econet": (0.80, 2_500_000, 140_000, 0.100, 0.120, 0.110, 60.0),
    "lenet5": (0.65, 650_000, 70_000, 0.050, 0.060, 0.055, 55.0),
    "resnet8": (0.82, 12_500_000, 100_000, 0.300, 0.320, 0.310, 61.0),
    "vgg_small": (0.803, 607_000_000, 4_700_000, 9.000, 9.500, 9.100, 90.0),
}


@pytest.fixture(scope="module")
def kept():
    return read_record(KEPT, RecipeResult)


@pytest.fixture
def result_of(kept):
    """A result of one network and seed: a real recipe's records with figures that a reader can recognise."""

    def made(network, seed=0, accuracy=None, timed="2026-11-21T20:00:00+00:00", warnings=(), lr=0.02):
        usual, macs, size, p50, p95, cpu_s, memory = FIGURES[network]
        accuracy = usual if accuracy is None else accuracy
        machine = MachineChoices(
            device="cpu",
            threads=1,
            precision="bf16",
            compile=False,
            processes=1,
            deterministic=False,
            measured_images_per_s={"1 thread bf16": 1500.0},
            cpu="a core",
            capability="none",
        )
        plan = Plan(epochs=21, steps_per_epoch=351, steps=7195, dropped_images=72)
        settings = TrainingConfig(
            epochs=None,
            time_s=900.0,
            batch_size=128,
            optimizer="muon",
            schedule="one-cycle",
            lr=lr,
            weight_decay=0.01,
            label_smoothing=0.05,
            ema=0.99,
            augment="light",
            patience=None,
            teacher=None,
            from_weights=None,
        )
        benchmarks = [
            replace(
                each,
                macs=macs,
                bytes=size,
                latency_ms=replace(each.latency_ms, p50=p50, p95=p95),
                cpu_s_per_1000=cpu_s,
                peak_memory_mb=memory,
            )
            for each in kept.benchmarks
        ]
        return RivalResult(
            network=network,
            seed=seed,
            git=None,
            versions=kept.versions,
            started=kept.started,
            asked=RivalAsked(
                data="cifar10",
                networks=tuple(FIGURES),
                time_s=900.0,
                trial_s=150.0,
                rates=(0.0067, 0.02, 0.06),
                optimizer="muon",
                weight_decay=0.01,
                augment="light",
                teacher=None,
            ),
            teacher=None,
            pace=RivalPace(
                machine=machine,
                rounds=(1490.0, 1500.0, 1510.0),
                images_per_s=1500.0,
                core_share=0.98,
                trial=plan,
                whole=plan,
            ),
            trials=(
                RivalTrial(lr=0.0067, validation_accuracy=0.6, seconds=150.0),
                RivalTrial(lr=0.02, validation_accuracy=0.625, seconds=150.0),
                RivalTrial(lr=0.06, validation_accuracy=None, seconds=12.0, fault="the loss became nan"),
            ),
            settings=settings,
            training=replace(kept.training, seconds=960.0, still_improving=True),
            exports=kept.exports,
            evaluations=(kept.evaluations[0], replace(kept.evaluations[1], accuracy=accuracy)),
            timed=timed,
            benchmarks=() if timed is None else tuple(benchmarks),
            warnings=warnings,
        )

    return made


def row(text, network, place=0):
    lines = [line for line in text.splitlines() if line.startswith(f"| `{network}` |")]
    return [cell.strip() for cell in lines[place].strip("|").split("|")]


def test_the_table_holds_the_figures_of_the_int8_file(result_of, kept):
    text = rivals_page.markdown([result_of(name) for name in FIGURES])
    assert text.startswith(rivals_page.MARK)
    # Wilson by hand for 8,000 of 10,000: (p + z2/2n +- z sqrt(pq/n + z2/4n2)) / (1 + z2/n), z = 1.96.
    assert row(text, "econet") == [
        "`econet`",
        "1",
        "80.00 % (79.20 to 80.77)",
        f"{100 * kept.evaluations[0].accuracy:.2f} %",
        f"{kept.benchmarks[1].parameters:,}",
        "2.50 M",
        "140,000",
        "100 µs",
        "120 µs",
        "0.110 s",
        "60.0 MB",
    ]
    # 7,195 steps of 351 a pass; 150 + 150 + 12 seconds of trials, 960 of training.
    assert row(text, "econet", 1) == [
        "`econet`",
        "1,500",
        "98 %",
        "20.50",
        "0.0067: 60.0 %, 0.02: 62.5 %, 0.06: failed",
        "0.02",
        "5.2 + 16.0",
        "still improving",
    ]
    assert "15 min of one core" in text
    assert "3 learning rates (0.0067, 0.02, 0.06) for 2 min 30 s each" in text
    assert "7 min 30 s more, the same for all" in text
    assert "no teacher" in text


def test_every_column_in_which_a_rival_wins_is_named(result_of):
    lines = rivals_page.losses(rivals_page.entries([result_of(name) for name in FIGURES]))
    assert lines == [
        "- accuracy: to `resnet8` (+2.00 points) and `vgg_small` (+0.30 points, the intervals overlap).",
        "- MACs: to `lenet5` (0.65 M against 2.50 M).",
        "- bytes: to `lenet5` (70,000 against 140,000) and `resnet8` (100,000 against 140,000).",
        "- latency p50: to `lenet5` (50.0 µs against 100 µs).",
        "- latency p95: to `lenet5` (60.0 µs against 120 µs).",
        "- CPU time per 1,000 images: to `lenet5` (0.055 s against 0.110 s).",
        "- peak memory: to `lenet5` (55.0 MB against 60.0 MB).",
    ]
    assert "\n".join(lines) in rivals_page.markdown([result_of(name) for name in FIGURES])


def test_where_no_rival_wins_anywhere_that_is_said_once(result_of):
    results = [result_of("econet"), result_of("vgg_small", accuracy=0.79)]
    text = rivals_page.markdown(results)
    assert "In no column: no rival here is more accurate, smaller, faster or leaner." in text
    assert "- accuracy: to" not in text


def test_several_seeds_give_their_mean_each_seed_and_an_interval_over_them(result_of):
    results = [result_of("econet", seed, accuracy) for seed, accuracy in enumerate((0.79, 0.80, 0.81))]
    text = rivals_page.markdown([*results, result_of("resnet8")])
    assert row(text, "econet")[1:3] == ["3", "80.00 % (79.20 to 80.77)"]
    # t(0.975, 2) = 4.3027 standard errors of 0.01 / sqrt(3).
    assert (
        "79.00 % (seed 0), 80.00 % (seed 1), 81.00 % (seed 2); over seeds the mean lies between 77.52 and 82.48 %"
        in text
    )


def test_timings_that_do_not_compare_and_warnings_are_told(result_of):
    results = [result_of("econet"), result_of("resnet8", timed="2026-11-22T08:00:00+00:00", warnings=("it broke",))]
    text = rivals_page.markdown(results)
    assert "Not all of them were timed in the same run" in text
    assert "- `resnet8`, seed 0: it broke." in text
    assert "Not all of them" not in rivals_page.markdown([result_of("econet"), result_of("resnet8")])


def test_a_rate_at_the_end_of_those_tried_is_told(result_of):
    text = rivals_page.markdown([result_of("econet"), result_of("lenet5", lr=0.0067), result_of("resnet8", lr=0.06)])
    assert "- `lenet5` did best at the smallest rate tried, 0.0067" in text
    assert "- `resnet8` did best at the largest rate tried, 0.06" in text
    assert "`econet` did best" not in text


def test_before_the_files_are_timed_nothing_is_claimed_of_their_cost(result_of):
    results = [result_of("econet", timed=None), result_of("resnet8", timed=None)]
    text = rivals_page.markdown(results)
    assert row(text, "econet")[4:] == ["not timed"] * 7
    assert "loses" not in text
    assert "Not timed yet" in text
    assert rivals_page.figure(results) is None


def test_the_figure_shows_every_network_against_three_costs(result_of):
    drawn = ElementTree.fromstring(str(rivals_page.figure([result_of(name) for name in FIGURES])))
    space = "{http://www.w3.org/2000/svg}"
    words = [text.text for text in drawn.iter(f"{space}text")]
    for name in FIGURES:
        assert words.count(name) == 3
    assert {"bytes", "MACs", "latency p50, one image, one thread"} <= set(words)
    spots = [circle for circle in drawn.iter(f"{space}circle") if circle.get("class") == "spot final"]
    assert len(spots) == 3
    said = [each.get("aria-label") for each in drawn.iter(f"{space}svg") if each.get("aria-label")]
    assert any("Accuracy on test against bytes" in each and "econet: 80.0 % at 140 KB" in each for each in said)
