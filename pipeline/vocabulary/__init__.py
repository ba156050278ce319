"""Vocabularies counted from joined examples.

- `job`: counts, writes and publishes a vocabulary.
- `vocabulary_count`: the Beam transform.
- `id_counts`: occurrences of ids as arrays.
"""
