"""Exported versions listed, promoted, rolled back and pruned."""
