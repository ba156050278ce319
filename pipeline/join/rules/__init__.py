"""The small languages of the join's flags: `expressions`, `splits`, `negatives_rule`."""
