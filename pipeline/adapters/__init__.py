"""Public data sets in their own formats to the join's inputs, one module a data set.

- `movielens`, `microlens`, `amazon_reviews`, `taobao_mm`: each says which files it needs and
  how their rows become rows of ours.
- `conversion`: what they share: sources, publishing, manifest, the command that joins the result.
- `table`: one output table: Parquet in row groups of one size, quarantine, counts.
- `text_rows`, `parquet_rows`: reading the sources bit by bit, broken rows included.
"""
