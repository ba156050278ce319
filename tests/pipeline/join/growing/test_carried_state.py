"""What parts carry: how much it is, and that damage and other statistics are refused."""

import json
import shutil

import pytest

from features.errors import UserInputError
from tests import manifests
from tests.pipeline.join.growing.late_clicks import World, records
from tests.pipeline.join.three_days import contents

VALUES = {
    "label_logs": True,
    "labels": ["click", "liked"],
    "statistics": ("click", "rating"),
    "behavior_delay": 20,
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A data set of two parts that tests must leave as it is."""
    folder = tmp_path_factory.mktemp("grown")
    world = World(1, parts=3, length=100, crossing=True)
    for part in world.names[:2]:
        world.join(folder, part, wait_for_labels=True, **VALUES)
    return world, folder


def copied(grown, folder):
    world, there = grown
    shutil.copytree(there / "out", folder / "out")
    return world, folder / "out" / "examples"


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    "damage", [flip, cut, lambda path: path.unlink()], ids=["flip", "cut", "no"]
)
@pytest.mark.parametrize("name", ["users-00001-of-00003.parquet", "items-00000-of-00001.parquet"])
def test_damaged_sums_are_refused(tmp_path, grown, name, damage):
    world, examples = copied(grown, tmp_path)
    path = examples / "part=p01" / "state" / name
    damage(path)
    before = contents(examples)
    with pytest.raises(UserInputError, match="join that part and those after it again") as caught:
        world.join(tmp_path, "p02", **VALUES)
    assert repr(str(path)) in str(caught.value)
    assert contents(examples) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statistics": ()}, r"statistics was \['click', 'rating'\], now None"),
        ({"statistics": ("rating", "click")}, r"statistics was \[.*\], now \['rating', 'click'\]"),
        ({"behavior_delay": 21}, "behavior_delay was 20, now 21"),
    ],
    ids=str,
)
def test_other_statistics_are_refused(tmp_path, grown, given, message):
    world, examples = copied(grown, tmp_path)
    before = contents(examples)
    with pytest.raises(UserInputError, match=f"was made otherwise: {message}"):
        world.join(tmp_path, "p02", **{**VALUES, **given})
    assert contents(examples) == before


def test_a_part_that_has_not_left_sums_is_refused(tmp_path, grown):
    world, examples = copied(grown, tmp_path)
    path = examples / "part=p01" / "manifest.json"
    path.write_text(json.dumps(manifests.earlier(path, without=["sums"])))
    with pytest.raises(UserInputError, match="part=p01' has not left the sums of users and items"):
        world.join(tmp_path, "p02", **VALUES)


def test_a_part_joined_again_has_the_same_bytes(tmp_path, grown):
    world, examples = copied(grown, tmp_path)
    before = contents(examples / "part=p01")
    shutil.rmtree(examples / "part=p01")
    world.join(tmp_path, "p01", wait_for_labels=True, **VALUES)
    after = contents(examples / "part=p01")
    assert {name: one[0] for name, one in after.items()} == {
        name: one[0] for name, one in before.items()
    }
    with pytest.raises(UserInputError, match="made otherwise: wait_for_labels was True, now"):
        world.join(tmp_path, "p01", **VALUES)


def test_a_part_without_events_carries_everything_on(tmp_path, grown):
    world, examples = copied(grown, tmp_path)
    end = world.names[-1]
    world.join(tmp_path, end, **VALUES)
    wanted = records(tmp_path / "out")
    shutil.rmtree(examples / f"part={end}")
    rows = world.shown, world.clicked
    kept = [one[end] for one in rows]
    for one in rows:
        one[end] = []
    manifest = world.join(tmp_path, end, wait_for_labels=True, **VALUES)
    assert manifest["counts"]["held"]["left"] > manifest["counts"]["held"]["taken"]
    for one, own in zip(rows, kept, strict=True):
        one["p03"], one[end] = own, own
    world.join(tmp_path, "p03", **VALUES)
    assert records(tmp_path / "out") == wanted


def test_the_first_part_has_events(tmp_path):
    world = World(0, parts=2, length=50)
    world.shown["p00"], world.clicked["p00"] = [], []
    with pytest.raises(UserInputError, match="hold no row"):
        world.join(tmp_path, "p00", **VALUES)


@pytest.mark.slow(seconds=30)
def test_the_state_grows_with_users_and_items_and_not_with_parts(tmp_path):
    world = World(4, parts=30, length=200)
    for rows in (world.shown, world.clicked):
        for own in rows.values():
            for row in own:
                # All of these occur in the first parts.
                row["user_id"], row["item_id"] = row["user_id"] % 5, row["item_id"] % 5
    sizes = []
    for part in world.names:
        world.join(tmp_path, part, wait_for_labels=True, **VALUES)
        state = tmp_path / "out" / "examples" / f"part={part}" / "state"
        sizes.append(sum(path.stat().st_size for path in state.iterdir()))
    early, late = sizes[5:15], sizes[20:]
    assert max(late) < 1.15 * max(early)
