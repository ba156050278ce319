"""Keras layers and the operations they share."""
