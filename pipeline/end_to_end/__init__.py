"""The whole path of `pipeline.run`: data, steps, summary."""
