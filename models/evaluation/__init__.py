"""Scores of a trained model: metrics, slices, attention mass."""
