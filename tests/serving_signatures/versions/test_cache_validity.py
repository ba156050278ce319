"""Which caches of the version before an export leaves valid, and why."""

import pytest

from serving_signatures.versions import cache_validity
from tests.serving_signatures import exports

OTHER_IDS = {**exports.TAGS, "id_tag": "2" * 16}
OTHER_CONTENT = {**exports.TAGS, "target_aware_tag": "b" * 16}


def reasons(version):
    """A version's reasons for a person, which agree with its values for programs."""
    caches = version.manifest["caches"].values()
    for one in caches:
        assert one["valid"] == one["reason"].endswith("stay valid")
        assert (one["since"] is not None) == one["valid"]
    return [one["reason"] for one in caches]


def test_the_first_version_has_caches_to_fill(tmp_path):
    assert reasons(exports.publish(tmp_path)) == [
        "id_tag is new: fill id_projections",
        "target_aware_tag is new: fill target_aware_projections",
    ]


def test_a_reason_names_the_version_since_which_a_tag_stays_or_from_which_it_changed(tmp_path):
    for tags in (exports.TAGS, OTHER_CONTENT, OTHER_CONTENT):
        version = exports.publish(tmp_path, tags=tags)
    assert reasons(version) == [
        "id_tag unchanged since version 1: id_projections stay valid",
        "target_aware_tag unchanged since version 2: target_aware_projections stay valid",
    ]
    assert reasons(exports.publish(tmp_path, tags={**OTHER_CONTENT, **OTHER_IDS})) == [
        "id_tag changed since version 3: fill id_projections again",
        "target_aware_tag changed since version 3: fill target_aware_projections again",
    ]
    assert version.manifest["caches"]["target_aware_tag"] == {
        "valid": True,
        "since": 2,
        "reason": reasons(version)[1],
        "before": 2,
    }


def test_a_tag_that_comes_back_is_compared_with_the_version_before_alone(tmp_path):
    for tags in (exports.TAGS, OTHER_IDS, exports.TAGS):
        version = exports.publish(tmp_path, tags=tags)
    assert reasons(version)[0] == "id_tag changed since version 2: fill id_projections again"


@pytest.mark.parametrize("first", [{}, exports.TAGS], ids=["plain", "split"])
def test_a_model_without_split_signatures_has_no_caches(tmp_path, first):
    exports.publish(tmp_path, tags=first)
    assert exports.publish(tmp_path, tags={}).manifest["caches"] == {}
    last = exports.publish(tmp_path)
    assert reasons(last)[0] == "id_tag is new, version 2 has none: fill id_projections"


def test_any_two_versions_can_be_compared(tmp_path):
    versions = [exports.publish(tmp_path, tags=tags) for tags in (exports.TAGS, OTHER_IDS)]
    valid = {one.tag: one.valid for one in cache_validity.compare(exports.TAGS, versions[1])}
    assert valid == {"id_tag": False, "target_aware_tag": True}
    assert all(one.valid for one in cache_validity.compare(exports.TAGS, versions[0]))
