"""What the training recipes share: the run's state on disk, rates, metrics, epochs."""
