"""Setting up the environments."""
