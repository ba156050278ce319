"""Measurements, as ratios against a baseline in the same run. Each module is a command.

- `join`: the join against row-wise Beam.
- `training`: candidates per second against materialized attention.
- `serving`: latency and throughput against ID-only and early fusion.
- `serving_load`: memory and latency of a server under load.
- `client`: one, two and three servers, hedging, metrics, and a server that is killed.
- `request_log`: latency of a client with a request log against one without.
- `attention`: the factorized attention against what it replaces.
- `quality`: models against ID-only attention on real data, several seeds.
- `downsampling`: probabilities of models of few negatives against those of all.
- `daily_cycle`: the daily cycle on a market that drifts, against a model never updated.
- `quantization`: the similarity code against exact cosines.
- `backfill`: new items against a whole catalog.

The folders: `ranking_study`, `join_alternatives`, `model_alternatives`, `measuring`.
"""
