"""Other ways to join, to compare with."""
