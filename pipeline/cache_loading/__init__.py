"""A published backfill in Redis. `pipeline.load_projections` runs it.

- `options`, `flags`: what to load, and where to.
- `load`: a load, from the published versions to the tags that readers begin with.
- `cache_load`: one cache of it: its rows written and verified.
- `published_rows`: the rows of a published version, as entries.
- `redis_server`: the server: opened, looked at, and its errors as sentences.
- `memory`: how much a load takes, and whether there is room.
- `batch_writer`: batches of entries on their way, at a pace.
- `load_state`: what Redis says of loads: what is there, who may write, what is to expire.
- `verification`: what Redis holds, compared with the cache.

`serving_signatures.client.redis_store` reads what is written here; `redis_entries` beside it has
the form of keys and values.
"""
