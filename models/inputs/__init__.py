"""What a model reads: example sets, batches, behaviors, candidate mixing."""
