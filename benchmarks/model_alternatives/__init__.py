"""Other ways to compute the model, to compare with."""
