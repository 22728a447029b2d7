"""Section 3.3: response normalisation lowers the error by 1.4 points."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="lrn_imagenet",
    title="Local response normalisation lowers the error",
    said=Said(
        text="response normalisation lowers top-1 and top-5 error by 1.4 and 1.2 points",
        value=0.014,
        unit="of test images",
        where="section 3.3",
    ),
    scale=MINI,
    arms=(Arm("no_lrn", switches={"lrn": False}), Arm("base")),
    notes="Later work finds no gain (VGG, table 3). The original code's figure also includes a second "
    "normalisation that the paper does not mention.",
)
