"""What goes wrong while caches are loaded: one sentence, and readers keep their tag."""

import logging
import re
import types

import pytest

from features.errors import RetryError, UserInputError
from features.files import manifest
from pipeline.cache_loading.load import compare_projections, load_projections
from pipeline.cache_loading.redis_server import RedisServer
from serving_signatures.client.redis_store import RedisProjectionStore
from tests import quick_python, server_process
from tests.pipeline.cache_loading import caches
from tests.pipeline.cache_loading.caches import ID, ITEMS, OTHER_TAGS, TAGS, options

PASSWORD = "open-sesame"


def at(number, action):
    """Returns what to sleep with, so that something happens before a batch."""
    calls = []

    def sleep(_):
        calls.append(1)
        if len(calls) == number:
            action()

    return sleep


def assert_serves(server, tags):
    store = RedisProjectionStore(server)
    for cache, tag in tags.items():
        assert store.tag(cache) == tag
        assert store.get(cache, tag, ITEMS[:300])[0].all()


@pytest.fixture
def second(tmp_path, url):
    """Caches of other tags than those that are loaded."""
    load_projections(options(caches.publish(tmp_path / "first"), url))
    return caches.publish(tmp_path / "second", OTHER_TAGS)


def test_a_server_that_is_not_there(tmp_path):
    address = f"redis://127.0.0.1:{server_process.free_port()}/0"
    folder = caches.publish(tmp_path)
    done = quick_python.run_job(
        "pipeline.load_projections", f"--projections={folder}", f"--redis={address}"
    )
    assert done.returncode == 75, done.stderr
    assert re.search(r"Error: Redis at 127\.0\.0\.1:\d+ does not answer: .*refused", done.stderr)


def test_a_server_that_is_killed_and_comes_back(tmp_path):
    folder = caches.publish(tmp_path / "caches")
    kept = ("--appendonly", "yes", "--appendfsync", "no", "--dir", str(tmp_path))

    def command(port):
        return server_process.redis_command(port, *kept)

    with server_process.running(command) as (port, process):
        url = f"redis://127.0.0.1:{port}"

        def kill():
            process.kill()
            process.wait()

        with pytest.raises(RetryError, match=r"127\.0\.0\.1:\d+ does not answer: .*goes on"):
            load_projections(options(folder, url, rows_per_second=500), sleep=at(9, kill))
    with server_process.running(command) as (port, _):
        url = f"redis://127.0.0.1:{port}"
        done = load_projections(options(folder, url))
        assert 0 < sum(one.rows for one in done.values()) < 600
        compare_projections(options(folder, url))


def test_a_server_that_was_emptied(second, url, server):
    with pytest.raises(RetryError, match=r"SUPERSEDED by nothing\. It was emptied"):
        load_projections(options(second, url, rows_per_second=500), sleep=at(9, server.flushall))
    load_projections(options(second, url))
    compare_projections(options(second, url))


@pytest.mark.parametrize("given", [None, "wrong"])
def test_a_password_that_is_not_the_servers(tmp_path, monkeypatch, given):
    def command(port):
        return server_process.redis_command(port, "--requirepass", PASSWORD)

    folder, file = caches.publish(tmp_path / "caches"), tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    with server_process.running(command) as (port, _):
        url = f"redis://127.0.0.1:{port}"
        if given is None:
            monkeypatch.delenv("REDISCLI_AUTH", raising=False)
        else:
            monkeypatch.setenv("REDISCLI_AUTH", given)
        with pytest.raises(UserInputError, match="Give --password_file, or REDISCLI_AUTH"):
            load_projections(options(folder, url))
        load_projections(options(folder, url, password_file=str(file)))
        monkeypatch.setenv("REDISCLI_AUTH", PASSWORD)
        compare_projections(options(folder, url))


@pytest.mark.parametrize(
    "address", [f"redis://user:{PASSWORD}@host", f"redis://host?password={PASSWORD}"]
)
def test_a_password_among_the_flags_is_refused_and_not_shown(tmp_path, address):
    done = quick_python.run_job(
        "pipeline.load_projections",
        *("--only_check_args", f"--projections={tmp_path}", f"--redis={address}"),
    )
    assert done.returncode == 2
    assert "--redis holds a password: every process" in done.stderr
    assert PASSWORD not in done.stderr + done.stdout


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_a_server_without_room_is_refused_before_anything_is_written(second, url, server, policy):
    server.config_set("maxmemory-policy", policy)
    server.config_set("maxmemory", server.info("memory")["used_memory"] + 60_000)
    with pytest.raises(UserInputError, match=r"has no room: this load adds 1 MiB, .* Raise max"):
        load_projections(options(second, url))
    assert not [key for tag in OTHER_TAGS.values() for key in server.keys(f"*{tag}*")]


def test_a_server_that_fills_up(second, url, server):
    def fill():
        server.config_set("maxmemory", server.info("memory")["used_memory"])

    with pytest.raises(UserInputError, match=r"OOM command not allowed .* Raise its `maxmemory`"):
        load_projections(options(second, url, rows_per_second=500), sleep=at(9, fill))
    server.config_set("maxmemory", 0)
    assert_serves(server, TAGS)
    assert sum(one.rows for one in load_projections(options(second, url)).values()) < 600
    compare_projections(options(second, url))


def test_a_server_that_may_throw_entries_out(tmp_path, url, server, caplog):
    server.config_set("maxmemory-policy", "allkeys-lru")
    server.config_set("maxmemory", 1 << 30)
    with caplog.at_level(logging.WARNING):
        load_projections(options(caches.publish(tmp_path), url))
    assert "maxmemory-policy is allkeys-lru, so entries can be thrown out" in caplog.text


def test_a_server_that_does_not_keep_entries(second, url, server):
    def throw_out(_):
        keys = [key for tag in OTHER_TAGS.values() for key in server.keys(f"dmf:*:{tag}:1*")]
        server.unlink("none", *keys)

    with pytest.raises(UserInputError, match="does not keep what is written: rows of id_proj"):
        load_projections(options(second, url, rows_per_second=500), sleep=throw_out)
    assert_serves(server, TAGS)


def test_a_replica_is_refused(tmp_path):
    def command(port):
        return server_process.redis_command(port, "--replicaof", "127.0.0.1", "1")

    folder = caches.publish(tmp_path / "caches")
    with (
        server_process.running(command) as (port, _),
        pytest.raises(UserInputError, match=r"is a replica.* Give the primary, 127\.0\.0\.1:1"),
    ):
        load_projections(options(folder, f"redis://127.0.0.1:{port}"))


def test_a_cluster_is_refused():
    client = types.SimpleNamespace(info=lambda: {"cluster_enabled": 1})
    with pytest.raises(UserInputError, match="at here is a cluster"):
        RedisServer(client, "here").info()


def test_a_user_without_rights(tmp_path, url, server):
    server.execute_command("ACL", "SETUSER", "loader", "on", "nopass", "~*", "+@all", "-eval")
    address = url.replace("//", "//loader@")
    with pytest.raises(UserInputError, match=r"no permissions .*rights to EVAL"):
        load_projections(options(caches.publish(tmp_path), address), sleep=at(1, print))
    server.execute_command("ACL", "DELUSER", "loader")


@pytest.mark.guarantee("damaged", "load_projections")
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_a_damaged_part_is_named_before_readers_see_it(second, url, server, how):
    part = sorted((second / ID / "parts").iterdir())[1]
    data = part.read_bytes()
    part.unlink()
    if how != "gone":
        part.write_bytes(data[:-1] + b"?" if how == "cut" else data[:900] + b"?" + data[901:])
    with pytest.raises(UserInputError, match=f"{part.name}.*Run the backfill again"):
        load_projections(options(second, url))
    assert_serves(server, TAGS)
    part.write_bytes(data)
    load_projections(options(second, url))
    assert_serves(server, OTHER_TAGS)


@pytest.mark.guarantee("replaced", "load_projections")
def test_a_version_that_is_replaced_while_it_is_read(second, url, server):
    def backfill():
        parts = list((second / ID / "parts").iterdir())
        caches.publish(second, OTHER_TAGS, count=250, sizes=(150, 100))
        for part in parts:
            part.unlink()

    with pytest.raises(RetryError, match="newer version than 1 was published"):
        load_projections(options(second, url, rows_per_second=500), sleep=at(1, backfill))
    assert_serves(server, TAGS)
    load_projections(options(second, url))
    compare_projections(options(second, url))


def test_caches_of_another_model(tmp_path, url, server):
    folder = caches.publish(tmp_path / "caches")
    extra = tmp_path / "1" / "assets.extra"
    extra.mkdir(parents=True)
    tags = {"id_tag": TAGS[ID], "target_aware_tag": "9" * 16}
    manifest.write_manifest(str(extra), {"tags": tags, "schema": {}, "embeddings": {}, "files": {}})
    with pytest.raises(UserInputError, match=f"target_aware_projections .* expected {'9' * 16}"):
        load_projections(options(folder, url, saved_model=str(tmp_path / "1")))
    assert server.dbsize() == 0


@pytest.mark.guarantee("two at once", "load_projections")
def test_a_load_that_begins_later_stops_the_first(second, url, server):
    def another():
        load_projections(options(second, url))

    with pytest.raises(UserInputError, match=r"SUPERSEDED by process \d+ on .*this one stopped"):
        load_projections(options(second, url, rows_per_second=500), sleep=at(9, another))
    assert_serves(server, OTHER_TAGS)
    compare_projections(options(second, url))


def test_a_folder_without_caches(tmp_path, url):
    with pytest.raises(UserInputError, match=r"holds no published id_projections\. Run"):
        load_projections(options(tmp_path, url))


def test_a_key_of_another_program(tmp_path, url, server):
    server.set(f"dmf:{ID}:load", "mine")
    with pytest.raises(UserInputError, match=r"refuses: WRONGTYPE .*no other program"):
        load_projections(options(caches.publish(tmp_path), url))
