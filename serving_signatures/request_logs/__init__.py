"""Requests that were really served, logged by the client or the development server.

- `request_log`: `RequestLog`, a sample of the calls and their answers, off the request's path.
- `log_files`: bounded TFRecord files of a folder that many processes may write.
- `redaction`: features whose values are never written.
- `log_record`: one call as a PredictionLog, with how long it took and what was redacted.
- `reading`: files of a folder or glob, and every whole record in them.
- `logged_call`: a record as arrays, with checks of what a file may claim.
"""
