"""Options that cannot be are refused, and a password comes from a file or the environment."""

import pytest

from features.errors import UserInputError
from tests.pipeline.cache_loading.caches import options


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ttl_seconds": 59}, "--ttl_seconds 59: expected at least 60"),
        ({"keep_old_seconds": -1}, "--keep_old_seconds -1: expected at least 0"),
        ({"rows_per_second": 0}, "--rows_per_second 0: expected at least 1"),
        ({"prefix": ""}, "--prefix '': expected a word"),
        ({"prefix": "a b"}, "--prefix 'a b': expected a word"),
    ],
)
def test_values_that_cannot_be(values, words):
    with pytest.raises(UserInputError, match=words):
        options("folder", "redis://host", **values)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("host:6379", "is no URL of a Redis server. Expected one such as redis://cache:6379/0"),
        ("http://host", "is no URL of a Redis server"),
        ("redis://", "is no URL of a Redis server"),
        ("redis://host:port", "--redis is no URL: Port"),
        ("redis://:secret@host:port", "--redis holds a password|--redis is no URL: Port"),
        ("redis://user:secret@host", "--redis holds a password: every process"),
        ("redis://host/0?password=secret", "--redis holds a password"),
    ],
)
def test_urls_that_cannot_be(url, words):
    with pytest.raises(UserInputError, match=words) as caught:
        options("folder", url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://host", "rediss://me@host:1/2", "unix:///run/redis"])
def test_urls_that_can_be(url):
    assert options("folder", url).password("from the environment") == "from the environment"
    assert options("folder", url).password("") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"", "has 0 lines"),
        (b"one\ntwo\n", "has 2 lines, expected the password in one"),
        (b"\xff\n", "cannot be read"),
    ],
)
def test_files_without_a_password(tmp_path, content, words):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserInputError, match=words):
        options("folder", "redis://host", password_file=str(path)).password("other")
