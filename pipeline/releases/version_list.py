"""The exported versions of a model as a table."""

from collections.abc import Mapping, Sequence

from features.errors import UserInputError
from pipeline.runtime import text_table
from serving_signatures.versions.exported_version import ExportedVersion
from serving_signatures.versions.rollout import Rollout

_HEAD = (
    "version",
    "created",
    "labels",
    "gate",
    "id_tag",
    "target_aware_tag",
    "size",
    "parity",
    "ops",
)


def describe(
    versions: Mapping[int, ExportedVersion | UserInputError],
    rollout: Rollout,
    gates: Mapping[int, str],
    contents: bool,
) -> str:
    """Returns one line per version, the newest first, with the validity of its caches.

    Args:
      versions: by number; with the reason where there is none.
      rollout: gives the labels.
      gates: what the gate said, by number.
      contents: compare the sha256 of every file, not only its size.
    """
    rows: list[Sequence[str]] = [(*_HEAD, "caches of the version before", "files")]
    for number, version in sorted(versions.items(), reverse=True):
        labels = _labels(number, rollout)
        if isinstance(version, UserInputError):
            nothing = ["-"] * (len(_HEAD) - 3)
            head = (str(number), "-", labels, gates[number])
            rows.append((*head, *nothing, _no_version(version)))
        else:
            rows.append(_row(version, labels, gates[number], contents))
    return text_table.aligned(rows)


def size(version: ExportedVersion) -> str:
    """Returns a version's size in MiB, as text."""
    return f"{version.bytes / 2**20:.1f} MiB"


def _no_version(error: UserInputError) -> str:
    return f"damaged: {str(error).partition('. ')[0]}"


def _labels(version: int, rollout: Rollout) -> str:
    labels = sorted(label for label, number in rollout.labels.items() if number == version)
    if not labels and version in rollout.served:
        labels = ["(served)"]
    return ",".join(labels) or "-"


def _row(version: ExportedVersion, labels: str, gate: str, contents: bool) -> tuple[str, ...]:
    parity = version.manifest.get("parity")
    damage = version.damage(contents)
    return (
        str(version.number),
        version.manifest["created"],
        labels,
        gate,
        *(version.tags.get(tag, "-") for tag in ("id_tag", "target_aware_tag")),
        size(version),
        "-" if parity is None else f"{parity['max_abs_diff']:.1e}",
        "kernels" if version.foreign_ops else "stock",
        _caches(version),
        f"damaged: {damage[0]}" if damage else "intact" if contents else "sizes right",
    )


def _caches(version: ExportedVersion) -> str:
    """Returns whether the caches of the version before were valid when this one was exported."""
    caches = version.manifest["caches"]
    # Manifests of earlier releases do not say which version was the one before.
    if caches and all("before" in one and one["before"] is None for one in caches.values()):
        return "no version before"
    states = (
        f"{tag.removesuffix('_tag')} {'valid' if one['valid'] else 'stale'}"
        for tag, one in caches.items()
    )
    return ", ".join(states) or "-"
