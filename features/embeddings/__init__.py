"""Embedding sets and similarity codes."""
