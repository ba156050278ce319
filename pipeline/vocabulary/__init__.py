"""Vocabularies counted from joined examples."""
