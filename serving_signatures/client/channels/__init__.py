"""What a channel to several servers, with TLS or traces, is opened with.

- `targets`: one server, a name of several, or their addresses, as gRPC takes them.
- `tls`: credentials from files.
- `trace_context`: the trace of the caller, passed on.
"""
