"""Section 7: removing any middle layer costs about 2 points of top-1."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="depth_conv4",
    title="Without conv4 the error rises",
    said=Said(
        text="removing any middle layer costs about 2 points of top-1",
        value=0.02,
        unit="of test images",
        where="section 7",
    ),
    scale=MINI,
    arms=(Arm("no_conv4", switches={"without_layer": "conv4"}), Arm("base")),
)
