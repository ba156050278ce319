"""Embedding sets as inputs: ingestion, delivery, versions."""
