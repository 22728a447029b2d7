"""Beyond the paper: how the error grows as labelled images get fewer."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

# Fewer images are seen more often, up to four times as many epochs: the error is that of the data, not of haste.
CLAIM = Claim(
    name="data_scale",
    title="A sixteenth of the labels against all of them",
    said=Said(
        text="the paper's own answer to overfitting is more data, cropped and mirrored", where="beyond the paper"
    ),
    scale=MINI,
    arms=(
        Arm("base"),
        Arm("quarter", share=1 / 4, settings={"epochs": 80}),
        Arm("sixteenth", share=1 / 16, settings={"epochs": 80}),
    ),
    better="higher",
    beyond_paper=True,
    full_size=False,
)
