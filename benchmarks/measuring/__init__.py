"""Processes measured."""
