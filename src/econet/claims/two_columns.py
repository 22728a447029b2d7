"""Section 3.2: two columns beat one column with half as many kernels."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="two_columns",
    title="Two columns beat one of half the kernels",
    said=Said(
        text="two columns lower top-1 and top-5 error by 1.7 and 1.2 points against one column with half "
        "as many kernels in the convolutions",
        value=0.017,
        unit="of test images",
        where="section 3.2",
    ),
    scale=MINI,
    arms=(Arm("one_column", switches={"columns": 1}), Arm("base")),
    notes="The one-column network keeps the last convolution and the dense layers whole, as in the paper.",
)
