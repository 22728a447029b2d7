"""Beyond the paper: later networks do without dense layers."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="no_dense_layers",
    title="A global mean in place of the dense layers",
    said=Said(
        text="later networks do without dense layers",
        where="beyond the paper",
    ),
    scale=MINI,
    arms=(Arm("base"), Arm("no_dense_layers", switches={"dense_layers": False})),
    beyond_paper=True,
    notes="The paper has 96 % of its parameters in the dense layers.",
)
