import pytest

from econet.runs.records import TrainingConfig


@pytest.fixture(scope="session")
def usual() -> TrainingConfig:
    """A TrainingConfig to change with `msgspec.structs.replace`."""
    return TrainingConfig(
        epochs=2,
        time_s=None,
        batch_size=16,
        optimizer="sgd",
        schedule="one-cycle",
        lr=0.1,
        weight_decay=0.01,
        label_smoothing=0.0,
        ema=0.9,
        augment="none",
        patience=None,
        teacher=None,
        from_weights=None,
    )
