"""The written page of the claims says what the records say, and calls scaled-down experiments so."""

from xml.etree import ElementTree

from econet.models import catalog
from econet.models.architecture import from_data
from econet.report import claims_page
from econet.report.charts.two_columns import two_columns
from econet.runs.claim_records import ClaimRecord, Ran, Said

RIVALS = "| data | model |"


def claim(name="overlap_pool", **changes):
    told = {
        "claim": name,
        "title": "Overlapping pooling lowers the error",
        "paper": Said(text="by 0.4 points", value=0.004, unit="of test images", where="section 3.4"),
        "scaled_down": True,
        "beyond_paper": False,
        "ran": Ran(
            data="cifar10",
            network="alexnet:mini",
            epochs=24,
            seconds=1800.0,
            seeds=(0, 1, 2),
            arms=("no_overlap", "base"),
            machine="a processor",
            improving=2,
        ),
        "measure": "test_error",
        "values": {"no_overlap": (0.31, 0.30, 0.32), "base": (0.30, 0.29, 0.31)},
        "effect": -0.01,
        "interval": (-0.012, -0.008),
        "detectable_effect": 0.002,
        "unit": "points",
        "label": "reproduced",
        "stopped_by": "the end of its plan",
        "notes": "A note.",
    }
    return ClaimRecord(**{**told, **changes})


def quoted():
    nothing = {"ran": None, "values": {}, "effect": None, "interval": None, "detectable_effect": None}
    said = Said(text="37.5 %", value=0.375, unit="top-1 error", where="table 1")
    return claim(
        "ilsvrc2010", paper=said, label="not run here (needs ImageNet)", scaled_down=False, title="Table 1", **nothing
    )


def test_the_table_gives_the_papers_figure_and_ours_with_its_interval():
    text = claims_page.markdown([claim(), quoted()], RIVALS)
    row = next(line for line in text.splitlines() if line.startswith("| [Overlapping"))
    assert "0.4 points, section 3.4" in row
    assert "-1.00 points" in row
    assert "-1.20 points to -0.80 points" in row
    assert row.endswith("| reproduced, scaled down |")
    table_1 = next(line for line in text.splitlines() if line.startswith("| [Table 1]"))
    assert "| 37.5 %, table 1 | not run |" in table_1


def test_every_seeds_value_stands_on_the_page():
    text = claims_page.markdown([claim()], RIVALS)
    assert "| no_overlap | 0.31 | 0.3 | 0.32 |" in text
    assert "30 minutes of training in all" in text
    assert "Ended by the end of its plan; 2 of 6 trainings still gained in its last tenth." in text
    assert "## Beyond the paper" not in text
    assert f"\n{RIVALS}\n" in text
    beyond = claims_page.markdown([claim(beyond_paper=True)], RIVALS)
    assert "## Beyond the paper" in beyond
    assert "| seen, scaled down |" in beyond


def test_other_units_are_not_called_points():
    nats = claim("bias_one", unit="nats", effect=-0.25, interval=(-0.3, -0.2), detectable_effect=0.1)
    assert "-0.250 nats" in claims_page.markdown([nats], RIVALS)
    times = claim("relu_vs_tanh", unit="times", effect=5.5, interval=(5.0, 6.0), detectable_effect=1.1)
    assert "5.50 times" in claims_page.markdown([times], RIVALS)


def test_the_short_table_holds_the_papers_own_claims_that_were_run():
    beyond = claim("batch_norm", title="Something newer", beyond_paper=True)
    rows = claims_page.effects([claim(), quoted(), beyond]).splitlines()
    link = "[Overlapping pooling lowers the error](paper.md#overlap_pool)"
    assert rows[2:] == [f"| {link} | -1.00 points | -1.20 points to -0.80 points | reproduced, scaled down |"]


def test_the_figure_shows_what_was_measured_and_nothing_else():
    other = claim("neighbours", measure="pixel_purity and feature_purity")
    drawn = ElementTree.fromstring(str(claims_page.figure([claim(), quoted(), other])))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "overlap pool" in texts
    assert not {"ilsvrc2010", "neighbours"} & set(texts)
    (point,) = drawn.iter("{http://www.w3.org/2000/svg}circle")
    bars = [line for line in drawn.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke-width") == "5"]
    assert float(bars[0].get("x1")) < float(point.get("cx")) < float(bars[0].get("x2"))


def test_the_published_network_is_drawn_in_two_columns_that_cross_three_times():
    made = from_data(catalog.architecture("alexnet:paper", (3, 224, 224), 1000))
    drawn = ElementTree.fromstring(str(two_columns(made)))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [name for name in texts if name.startswith("conv")] == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert texts.count("2,048") == 4
    assert texts.count("48") == 2
    crossing = [line for line in drawn.iter("{http://www.w3.org/2000/svg}line") if line.get("stroke") == "#bc4c00"]
    assert len(crossing) == 6  # conv3, f6 and f7, each column reading the other one
