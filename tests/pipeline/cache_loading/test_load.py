"""A load writes what clients write, beside what is served, and tells readers at the end."""

import hashlib
import json

import numpy as np
import pytest
import redis

from pipeline.cache_loading.load import compare_projections, load_projections
from serving_signatures.client.redis_store import RedisProjectionStore
from tests.pipeline.cache_loading import caches
from tests.pipeline.cache_loading.caches import ID, ITEMS, OTHER_TAGS, TAGS, options


def values(server, without=b":load"):
    """Bytes by key, but for what loads say of themselves."""
    keys = sorted(key for key in server.scan_iter() if not key.endswith(without))
    return dict(zip(keys, server.mget(keys), strict=True))


def test_every_byte_is_as_clients_write_it(tmp_path, url, server):
    for cache, tag in TAGS.items():
        RedisProjectionStore(server).put(cache, tag, ITEMS[:300], caches.rows(cache, tag, 300))
    expected, lives = values(server), {key: server.ttl(key) for key in values(server)}
    server.flushall()
    done = load_projections(options(caches.publish(tmp_path), url))
    assert values(server) == expected
    assert all(abs(server.ttl(key) - life) <= 60 for key, life in lives.items())
    for cache, one in done.items():
        assert (one.tag, one.former_tag, one.items, one.rows) == (TAGS[cache], None, 300, 300)
        own = [key for key in expected if f":{cache}:".encode() in key]
        items = [key for key in own if not key.endswith((b":layout", b":tag"))]
        assert one.bytes == sum(len(key) + len(expected[key]) for key in items)


def test_an_entry_by_hand(tmp_path, url, server):
    load_projections(options(caches.publish(tmp_path), url, prefix="ctr"))
    layout = json.dumps([["item_embedding", "<f4", [4]], ["query", "<f4", [2, 3]]]).encode()
    one = {name: row[1] for name, row in caches.rows(ID, TAGS[ID], 300).items()}
    row = one["item_embedding"].tobytes() + one["query"].tobytes()
    key = f"ctr:{ID}:{TAGS[ID]}:{ITEMS[1]}"
    checksum = hashlib.blake2b(layout + key.encode() + b"\0" + row, digest_size=8).digest()
    assert server.get(key) == checksum + row


@pytest.mark.guarantee("foreign", "load_projections")
def test_other_keys_stay(tmp_path, url, server):
    others = {
        "other": "1",
        f"dmf:{ID}:{TAGS[ID]}:7": "2",
        f"d*f:{ID}:{'9' * 16}:7": "3",
        f"d*f2:{ID}:{TAGS[ID]}:7": "4",
    }
    for key, value in others.items():
        server.set(key, value, ex=9000)
    load_projections(options(caches.publish(tmp_path), url, prefix="d*f"))
    caches.publish(tmp_path, OTHER_TAGS)
    load_projections(options(tmp_path, url, prefix="d*f", keep_old_seconds=0))
    assert not server.exists(f"d*f:{ID}:{TAGS[ID]}:7")
    assert server.mget(others) == [value.encode() for value in others.values()]


def test_new_items_alone_are_written(tmp_path, url, server):
    load_projections(options(caches.publish(tmp_path, count=300), url))
    before = server.info("commandstats")["cmdstat_set"]["calls"]
    caches.publish(tmp_path, count=350)
    done = load_projections(options(tmp_path, url))
    assert {one.rows for one in done.values()} == {50}
    assert {one.former_tag for one in done.values()} == set(TAGS.values())
    # Layout and tag of each cache, besides.
    assert server.info("commandstats")["cmdstat_set"]["calls"] == before + 2 * (50 + 2)
    for cache, tag in TAGS.items():
        known, found = RedisProjectionStore(server).get(cache, tag, ITEMS[:350])
        assert known.all()
        for name, wanted in caches.rows(cache, tag, 350).items():
            np.testing.assert_array_equal(found[name], wanted)
    assert {one.rows for one in load_projections(options(tmp_path, url)).values()} == {0}


def test_a_dry_run_writes_nothing(tmp_path, url, server):
    folder = caches.publish(tmp_path)
    done = load_projections(options(folder, url), dry_run=True)
    assert server.keys() == []
    assert {(one.rows, one.items) for one in done.values()} == {(300, 300)}


def test_former_entries_live_as_long_as_they_are_kept(tmp_path, url, server):
    load_projections(options(caches.publish(tmp_path), url))
    caches.publish(tmp_path, OTHER_TAGS)
    load_projections(options(tmp_path, url, keep_old_seconds=500))
    store = RedisProjectionStore(server)
    for cache, tag in OTHER_TAGS.items():
        assert store.tag(cache) == tag
        for one, least, most in ((TAGS[cache], 400, 500), (tag, 600_000, 604_800)):
            assert store.get(cache, one, ITEMS[:300])[0].all()
            lives = [server.ttl(key) for key in server.keys(f"dmf:{cache}:{one}:*")]
            assert len(lives) == 301 + (one == tag)
            assert least < min(lives) <= max(lives) <= most


def test_back_to_a_former_tag_before_it_expires(tmp_path, url, server):
    load_projections(options(caches.publish(tmp_path), url))
    caches.publish(tmp_path, OTHER_TAGS)
    load_projections(options(tmp_path, url, keep_old_seconds=500))
    for cache in TAGS:
        (tmp_path / cache / "CURRENT").write_text("1\n")
    done = load_projections(options(tmp_path, url, keep_old_seconds=400))
    assert {one.rows for one in done.values()} == {300}
    for cache, tag in TAGS.items():
        assert min(server.ttl(key) for key in server.keys(f"dmf:{cache}:{tag}:*")) > 600_000
        other = server.keys(f"dmf:{cache}:{OTHER_TAGS[cache]}:*")
        assert max(server.ttl(key) for key in other) <= 400


def test_rows_are_written_again_before_they_expire(tmp_path, url, server):
    load_projections(options(caches.publish(tmp_path), url, ttl_seconds=1000))
    assert _rows(tmp_path, url, ttl_seconds=1900) == {0}
    assert _rows(tmp_path, url, ttl_seconds=2100) == {300}
    assert min(map(server.ttl, server.keys(f"dmf:{ID}:{TAGS[ID]}:*"))) > 2000


def _rows(folder, url, **values):
    done = load_projections(options(folder, url, **values))
    return {one.rows for one in done.values()}


@pytest.mark.parametrize("damage", ["deleted", "changed", "emptied", "layout"])
def test_what_was_lost_is_written_again(tmp_path, url, server, damage):
    load_projections(options(caches.publish(tmp_path, count=100), url))
    expected, key = values(server), f"dmf:{ID}:{TAGS[ID]}:{ITEMS[5]}"
    match damage:
        case "deleted":
            server.delete(key)
        case "changed":
            server.set(key, server.get(key)[:-1] + b"?")
        case "emptied":
            server.flushall()
        case "layout":
            server.delete(f"dmf:{ID}:{TAGS[ID]}:layout")
    if damage != "emptied":
        with pytest.raises(ValueError, match=f"{ID}: of 100 rows of tag .* missing and .* differ"):
            compare_projections(options(tmp_path, url))
    load_projections(options(tmp_path, url))
    assert values(server) == expected
    compare_projections(options(tmp_path, url))


def test_a_layout_of_other_code_does_not_make_rows_look_damaged(tmp_path, url, server):
    store, tag = RedisProjectionStore(server), TAGS[ID]
    store.put(ID, tag, ITEMS[:10], {"other": np.zeros((10, 4), np.float32)})
    seen = []

    def look(_):
        known, _ = RedisProjectionStore(server).get(ID, tag, ITEMS[:300])
        seen.append(known.any())

    folder = caches.publish(tmp_path)
    load_projections(options(folder, url, rows_per_second=500), sleep=look)
    assert seen
    assert not any(seen)
    assert store.get(ID, tag, ITEMS[:300])[0].all()
    assert store.counts() == {}


def test_a_tag_cannot_be_read_before_it_is_whole(tmp_path, url, server):
    folder, seen = caches.publish(tmp_path), []
    load_projections(options(folder, url))
    caches.publish(tmp_path, OTHER_TAGS)

    def look(_):
        store = RedisProjectionStore(redis.Redis.from_url(url))
        seen.append({store.tag(cache) for cache in TAGS})
        for cache, tag in TAGS.items():
            assert store.get(cache, tag, ITEMS[:300])[0].all()
            assert not store.get(cache, OTHER_TAGS[cache], ITEMS[:300])[0].any()

    load_projections(options(folder, url, rows_per_second=500), sleep=look)
    assert len(seen) > 5
    assert all(tags == set(TAGS.values()) for tags in seen)
