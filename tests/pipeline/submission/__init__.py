"""Tests of `pipeline.submit` and what it renders."""
