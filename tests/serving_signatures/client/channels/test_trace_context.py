"""The trace of the caller arrives at the server."""

import sys

from opentelemetry import trace

from serving_signatures.client.channel import open_channel
from serving_signatures.client.channels.trace_context import trace_interceptor
from tests.serving_signatures.client.channels.servers import PATH, called, counting_servers

SPAN = trace.NonRecordingSpan(
    trace.SpanContext(
        trace_id=0x1234, span_id=0x56, is_remote=False, trace_flags=trace.TraceFlags(1)
    )
)


def test_a_server_receives_the_span_that_is_current():
    with counting_servers(1) as (server,), open_channel(server.place) as channel:
        assert called(channel, 1) == []
        with trace.use_span(SPAN):
            assert called(channel, 1) == []
            channel.unary_unary(PATH)(b"", metadata=[("own", "kept")])
            channel.unary_unary(PATH).future(b"").result()
        without, *within = server.metadata
        assert "traceparent" not in without
        assert [one["traceparent"] for one in within] == [f"00-{0x1234:032x}-{0x56:016x}-01"] * 3
        assert within[1]["own"] == "kept"


def test_nothing_is_added_where_opentelemetry_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", None)
    assert trace_interceptor() is None
    with counting_servers(1) as (server,), open_channel(server.place) as channel:
        assert called(channel, 1) == []
