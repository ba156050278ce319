"""Training: fit, configuration, loop, checkpointed state, distribution, optimizers."""
