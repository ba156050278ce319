"""The client of a serving deployment."""
