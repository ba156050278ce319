"""Trainings as folders: configuration, record, listing, comparison, reproduction."""
