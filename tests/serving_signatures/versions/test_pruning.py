"""What prune may remove."""

import numpy as np
import pytest

from serving_signatures.versions import pruning
from tests.serving_signatures import exports


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Eight versions; 3 and 7 are damaged."""
    folder = tmp_path_factory.mktemp("ctr")
    found = [exports.publish(folder, str(number)) for number in range(8)]
    for number in (3, 7):
        (folder / str(number) / "saved_model.pb").unlink()
    return found


def removed(versions, protected=(), keep=3):
    return [version.number for version in pruning.removable(versions, protected, keep)]


def test_the_newest_whole_versions_stay(versions):
    assert removed(versions) == [1, 2, 3, 4, 7]
    assert removed(versions, keep=5) == [1, 3, 7]
    assert removed(versions, keep=50) == [3, 7]


def test_what_is_served_stays(versions):
    assert removed(versions, protected={1, 3}) == [2, 4, 7]


def test_the_highest_number_stays_though_damaged_so_that_it_is_not_given_again(versions):
    assert removed(versions[:7]) == [1, 2, 3]
    assert removed([]) == []


def test_fewer_than_three_are_refused(versions):
    with pytest.raises(ValueError, match="At least 3"):
        removed(versions, keep=2)


def test_three_whole_versions_and_the_newest_survive_whatever_is_protected(versions):
    random = np.random.default_rng(0)
    whole = {version.number for version in versions if not version.damage()}
    for _ in range(20):
        protected = set(random.integers(1, 9, 2).tolist())
        gone = set(removed(versions, protected, int(random.integers(3, 6))))
        assert len(whole - gone) >= 3
        assert max(whole) not in gone
        assert not gone & protected
