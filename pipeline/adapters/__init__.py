"""Converts public data sets from their own formats into the join's inputs.

- `movielens`, `microlens`, `amazon_reviews`, `taobao_mm`, `mind`, `ebnerd` (with `ebnerd_files`):
  one data set each: the files it needs and how their rows become rows of the join's inputs.
- `converter`: what all share: sources, tables, publishing, manifest, the command that joins.
- `table`: writes one table: Parquet in row groups of one size, quarantine, counts.
- `untimed_histories`: histories that a log repeats in every row, once per user and split.
- `parquet_tables`: writes tables and embedding sets from Parquet.
- `text_rows`, `parquet_rows`: read rows of the sources, broken rows with their reason.
"""
