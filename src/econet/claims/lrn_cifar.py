"""Section 3.3: a four-layer network had 13 % test error on CIFAR-10 without and 11 % with normalisation."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import LOCAL
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="lrn_cifar",
    title="Local response normalisation lowers the error on CIFAR-10",
    said=Said(
        text="a four-layer network had 13 % test error on CIFAR-10 without and 11 % with normalisation",
        value=0.02,
        unit="of test images",
        where="section 3.3",
    ),
    scale=LOCAL,
    arms=(Arm("no_lrn", switches={"lrn": False}), Arm("base")),
    full_size=False,
    notes="The published 13 % and 11 % networks also differ in the width of a layer, in decay and in "
    "length; here only the normalisation differs, in a network of half the width.",
)
