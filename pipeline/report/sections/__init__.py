"""The report's sections, one module per section."""
