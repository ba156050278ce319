"""Models compared over seeds and splits: `benchmarks.quality`."""
