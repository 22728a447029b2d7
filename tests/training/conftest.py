import pytest
from msgspec.structs import replace

from econet.runs.records import TrainingConfig
from strangers.usual_training import USUAL


@pytest.fixture(scope="session")
def usual() -> TrainingConfig:
    """A TrainingConfig to change with `msgspec.structs.replace`."""
    return replace(USUAL, optimizer="sgd")
