"""What is computed from counts, before the first step and after the last.

- `item_counts`: the item prior, from the train split.
- `calibration_fit`: scales and bias of the logit, from the validation split.
"""
