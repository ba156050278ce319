"""Measurements: ratios against a baseline in the same run, never timed tests.

- `quality`: models against each other on real data, several seeds.
- `attention`: the factorized attention against materialized and early fusion.
- `serving_load`: memory and latency of a server, for as long as one likes.
"""
