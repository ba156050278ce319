"""The operations on the exported versions of a model; each returns the text to print."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence

from features import proxies
from features.errors import RetryError, UserInputError
from features.files import tree
from pipeline.releases import version_list
from pipeline.releases.gate_records import GateRecords
from serving_signatures.versions import cache_validity, pruning, served_memory
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion
from serving_signatures.versions.rollout import CANARY, FILE_NAME, STABLE, Rollout

_SECONDS = 10
_PAUSE = 1.0
"""Seconds between two questions to a server."""
_AVAILABLE = "AVAILABLE"


class ModelVersions:
    """The versions in a model's folder, and the configuration by which TF Serving serves them.

    Args:
      export_dir: the model's folder, of `pipeline.export`.
      base_path: the folder as the server sees it; None for the one in the configuration, or
        `/models/<name>`.
      dry_run: change nothing, and describe what would change.
      memory_gib: of a server; None where it is not known, and nothing is compared with it.

    Raises:
      UserInputError: the folder holds no version.
    """

    def __init__(
        self,
        export_dir: str,
        base_path: str | None = None,
        dry_run: bool = False,
        memory_gib: float | None = None,
    ):
        self._folder = ExportFolder(export_dir)
        self._records = GateRecords(self._folder)
        self._base_path = base_path
        self._dry_run = dry_run
        self._memory_gib = memory_gib
        self._would = "would " if dry_run else ""
        if not self._folder.found():
            raise UserInputError(
                f"--export_dir {self._folder.path!r} holds no version that pipeline.export wrote. "
                "Give the folder that holds 1, 2, ..."
            )

    def show(self, verify: bool = False) -> str:
        """Returns the versions as a table.

        Args:
          verify: compare every file's sha256, not its size alone.
        """
        found = self._folder.found()
        gates = {number: self._records.summary(number) for number in found}
        return version_list.describe(found, self._rollout(), gates, verify)

    def check(self) -> None:
        """Compares every file of every version with what was exported.

        Raises:
          UserInputError: a version is damaged.
        """
        damaged = [
            number
            for number, version in self._folder.found().items()
            if isinstance(version, UserInputError) or version.damage()
        ]
        if damaged:
            raise UserInputError(
                f"--export_dir {self._folder.path!r}: damaged versions are "
                f"{', '.join(map(str, damaged))}. Promote none of them; export the model again."
            )

    def labels(self) -> Mapping[str, int]:
        """Returns the version by label."""
        return self._rollout().labels

    def wait_until_available(self, number: int, servers: Sequence[str], seconds: float) -> None:
        """Waits until every server has loaded a version.

        Args:
          number: the version; it must be served, with or without a label.
          servers: host and REST port of each.
          seconds: how long that may take in all.

        Raises:
          RetryError: one has not loaded it until then; its last answer is in the message.
        """
        deadline = time.monotonic() + seconds
        for server in servers:
            while True:
                try:
                    _require_available(server, self._folder.name, number)
                    break
                except UserInputError as error:
                    if time.monotonic() + _PAUSE > deadline:
                        raise RetryError(f"Waited {seconds:g} s. {error}") from error
                time.sleep(_PAUSE)

    def promote(
        self,
        number: int | None = None,
        label: str | None = None,
        servers: Sequence[str] = (),
        without_gate: str | None = None,
    ) -> str:
        """Adds a version to those that are served, under a label or without one.

        A label needs a passed gate against the version that is stable now, whatever was stable
        when the gate ran or the version became canary. The stable version needs none.

        Args:
          number: the version; None for the newest intact one.
          label: `stable` or `canary`.
          servers: host and REST port of TF Serving; each must have loaded the version
            before it gets a label.
          without_gate: why the version gets the label although it has not passed the gate, which
            is recorded; None to need the gate.

        Raises:
          UserInputError: the version is not there or damaged, has not passed the gate, does not
            fit the memory beside those that stay loaded, or TF Serving would refuse it.
        """
        if without_gate is not None and not (label and without_gate.strip()):
            raise UserInputError(
                f"--without_gate {without_gate!r}: expected a reason, and --label {STABLE} or "
                f"{CANARY}. A version that is only loaded needs no gate."
            )
        with self._folder.locked():
            before = self._rollout()
            stable = before.labels.get(STABLE)
            version = self._folder.intact_version(number)
            if label is None:
                after = before.serve(version.number)
            else:
                after = before.promote(version.number, label)
            self._check_memory(after.loaded_after(before))
            if label is not None:
                gate = self._gate(version, stable, without_gate)
                for server in servers:
                    _require_available(server, self._folder.name, version.number)
                if without_gate is not None and not self._dry_run:
                    self._records.override(version, label, stable, without_gate)
            messages = [*self._write(before, after), *([] if label is None else [gate])]
        if version.foreign_ops:
            messages.append(
                f"Version {version.number} contains native kernels: a server needs the ops "
                f"{', '.join(version.foreign_ops)} (docs/kernels.md)."
            )
        if stable is not None and stable != version.number:
            messages.append(f"Against {STABLE} version {stable}:")
            earlier = self._folder.found().get(stable)
            if isinstance(earlier, ExportedVersion):
                caches = cache_validity.compare(version.tags, earlier)
                messages += [f"  {one.reason}" for one in caches]
            else:
                messages.append(f"  its tags cannot be read: {earlier or 'it is gone'}")
        if version.number not in before.served:
            messages.append(
                f"TF Serving loads version {version.number} when it next reads {FILE_NAME}. Wait "
                f"for AVAILABLE in /v1/models/{self._folder.name}/versions/{version.number} "
                "before you promote it further."
            )
        return "\n".join(messages)

    def rollback(self) -> str:
        """Returns the stable label to the version that had it before.

        Raises:
          UserInputError: there is no such version, or it is damaged.
        """
        with self._folder.locked():
            before = self._rollout()
            after = before.rollback()
            self._folder.intact_version(after.labels[STABLE])
            return "\n".join(self._write(before, after))

    def prune(self, keep: int = pruning.MINIMUM_KEPT) -> str:
        """Removes old versions and the remains of killed exports, and no version that is served.

        Args:
          keep: how many of the newest intact versions stay.
        """
        if not self._dry_run:
            self._folder.clean()
        messages = []
        with self._folder.locked():
            served = self._rollout().served
            for version in pruning.removable(self._folder.versions(), served, keep):
                size = version_list.size(version)
                messages.append(f"{self._would}remove version {version.number} ({size})")
                if not self._dry_run:
                    self._folder.remove(version)
            if not self._dry_run:
                self._records.remove_left()
        return "\n".join(messages) or "Nothing to remove."

    def _gate(self, version: ExportedVersion, stable: int | None, without_gate: str | None) -> str:
        """Returns a line that says why a version may have a label."""
        if without_gate is not None:
            return f"gate: none, {self._would}record why: {without_gate}"
        if version.number == stable:
            return f"gate: none, version {stable} is {STABLE} already"
        return f"gate: {self._records.require(version, stable).summary}"

    def _check_memory(self, loaded: Iterable[int]) -> None:
        if self._memory_gib is not None:
            served_memory.check(
                {number: self._bytes(number) for number in loaded}, self._memory_gib, "--memory_gib"
            )

    def _bytes(self, number: int) -> int:
        try:
            return self._folder.version(number).bytes
        except UserInputError:
            # Gone, or its manifest cannot be read: a server may have loaded it all the same.
            folder = os.path.join(self._folder.path, str(number))
            found = tree.files_below(folder) if os.path.isdir(folder) else {}
            return sum(size or 0 for size in found.values())

    def _rollout(self) -> Rollout:
        return Rollout.read(self._folder.path, self._folder.name, self._base_path)

    def _write(self, before: Rollout, after: Rollout) -> list[str]:
        messages = []
        for label in sorted({*before.labels, *after.labels}):
            was, now = (one.labels.get(label, "none") for one in (before, after))
            messages.append(f"{label}: {now}" if was == now else f"{label}: {was} -> {now}")
        messages.append(f"{self._would}serve {', '.join(map(str, sorted(after.served)))}")
        if not self._dry_run:
            after.write(self._folder.path)
        return messages


def _require_available(server: str, model: str, version: int) -> None:
    """Raises `UserInputError` unless a server, `host:port` of REST, has loaded the version."""
    proxy = proxies.catching_http(server)
    caught = "" if proxy is None else f" {proxy}."
    url = f"http://{server}/v1/models/{model}/versions/{version}"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            statuses = json.load(answer)["model_version_status"]
    except urllib.error.HTTPError as error:
        statuses = [{"state": f"unknown there (HTTP {error.code})"}]
    except (OSError, ValueError, KeyError) as error:
        raise UserInputError(
            f"--server {server}: {url} does not answer: {error}. Give host and REST port of a "
            f"running TF Serving, localhost:8501.{caught}"
        ) from error
    states = [status["state"] for status in statuses]
    if states != [_AVAILABLE]:
        raise UserInputError(
            f"--server {server}: version {version} is {', '.join(states)}, not {_AVAILABLE}. "
            f"Promote it without --label, wait, and give the label again.{caught}"
        )
