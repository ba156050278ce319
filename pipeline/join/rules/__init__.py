"""The small languages of the join's flags, and what goes together.

- `splits`, `negatives_rule`, `downsampling_rule`: what their texts say.
- `feature_names`: the names that features may have.
- `option_types`, `option_checks`: the types of options, and those that contradict each other.
"""
