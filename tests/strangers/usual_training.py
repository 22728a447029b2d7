"""What a small run asks of its training."""

from econet.runs.records import TrainingConfig

USUAL = TrainingConfig(
    epochs=2,
    time_s=None,
    batch_size=16,
    optimizer="muon",
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
