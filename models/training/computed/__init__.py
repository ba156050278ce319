"""What is computed from counts, before the first step and after the last.

- `item_counts`: the item prior, from the train split.
- `bias_fit`: the bias, for calibration, from the validation split.
"""
