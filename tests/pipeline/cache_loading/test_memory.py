"""The memory that a load is said to take is what Redis takes."""

import pytest

from features.errors import UserInputError
from pipeline.cache_loading import memory

_FILL = """
for number = 1, ARGV[1] do
  redis.call('SET', ARGV[2] .. string.format('%d', 10000000 + number), ARGV[3], 'EX', 9000)
end
"""


@pytest.mark.parametrize("value_bytes", [8, 520, 1000])
def test_an_entry_takes_what_is_said(server, value_bytes):
    count = 66_000  # Just after tables have doubled: the most per entry.
    before = server.info("memory")["used_memory"]
    server.eval(_FILL, 0, count, "dmf:id_projections:0123456789abcdef:", "x" * value_bytes)
    assert len(server.randomkey()) == 44
    taken = (server.info("memory")["used_memory"] - before) / count
    said = memory.entry_bytes(44, value_bytes)
    assert 0.8 * said < taken < 1.02 * said


def test_the_machine_is_the_limit_where_redis_has_none():
    info = {"maxmemory": 0, "used_memory": 10 << 20, "total_system_memory": 64 << 20}
    memory.check_room("here", info, 54 << 20)
    with pytest.raises(UserInputError, match=r"adds 55 MiB, 10 MiB are in use, and the memory of"):
        memory.check_room("here", info, 55 << 20)
