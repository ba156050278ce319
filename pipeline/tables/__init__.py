"""Parquet inputs and side features."""
