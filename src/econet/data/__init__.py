"""Many images: sources, splits and augmentation."""
