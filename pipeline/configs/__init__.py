"""Configurations of runs: each file's docstring is the command."""
