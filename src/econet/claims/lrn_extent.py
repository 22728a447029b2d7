"""Beyond the paper: the original code normalises inside each column, the paper over the layer."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="lrn_extent",
    title="Normalising inside a column or over the whole layer",
    said=Said(
        text="the original code normalises inside each column, the paper over the layer",
        where="beyond the paper",
    ),
    scale=MINI,
    arms=(Arm("base"), Arm("column_extent", switches={"lrn_extent": "column"})),
    beyond_paper=True,
)
