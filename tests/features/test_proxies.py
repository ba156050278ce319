"""Which variable catches a call; tests of the client hold the rules of gRPC against gRPC."""

from features import proxies


def test_targets():
    caught = {"http_proxy": "proxy:3128"}
    for target, host in [
        ("dns:///server:8500", "server"),
        ("dns:server:8500", "server"),
        ("[::1]:8500", "::1"),
        ("ipv4:10.0.0.1:8500", "10.0.0.1"),
    ]:
        assert f"=proxy:3128 catches calls to {host}:" in proxies.catching_grpc(target, caught)
    assert proxies.catching_grpc("unix:/tmp/socket", caught) is None


def test_http_reads_both_cases():
    for proxy in ("http_proxy", "HTTP_PROXY"):
        caught = proxies.catching_http("localhost:8501", {proxy: "http://proxy"})
        assert caught == f"{proxy}=proxy catches calls to localhost: export no_proxy=localhost"
        for spared in ("no_proxy", "NO_PROXY"):
            for hosts in ("localhost", "*", "a,localhost"):
                environment = {proxy: "http://proxy", spared: hosts}
                assert proxies.catching_http("localhost:8501", environment) is None
