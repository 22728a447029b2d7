"""Where images come from: IDX files, CIFAR's binary layout, a folder of photos."""
