"""Configurations of runs, by name: `--config demo`. Each file's docstring is the command."""
