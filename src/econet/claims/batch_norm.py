"""Beyond the paper: later networks normalise by the batch and drop response normalisation."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="batch_norm",
    title="Batch normalisation in place of the normalisation of 2012",
    said=Said(
        text="later networks normalise by the batch and drop response normalisation",
        where="beyond the paper",
    ),
    scale=MINI,
    arms=(Arm("base"), Arm("batch_norm", switches={"batch_norm": True})),
    beyond_paper=True,
)
