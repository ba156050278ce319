"""The small languages of the join's flags.

`splits`, `negatives_rule`, `downsampling_rule`, and the names that features may have.
"""
