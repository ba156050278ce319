"""From a trained model to a verified SavedModel."""
