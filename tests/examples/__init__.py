"""The notebooks and scripts of examples/."""
