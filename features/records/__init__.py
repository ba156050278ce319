"""One request as `tf.train.Example` bytes.

- `requests`: a request without padding, and padded batches of requests.
- `time_gaps`: which time gaps a request can have.
- `example`, `decoded_example`: a request to a record, and back, in the graph or without it.
- `columnar`: many requests at once, for the join.
- `running_statistics`: counts and sums of users and items.
- `tfrecord`, `record_files`: the framing of records in a file, and the records of files.
"""
