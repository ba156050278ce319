"""What passes between the join's Beam steps."""
