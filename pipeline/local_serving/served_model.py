"""A model's folder in TF Serving's sense: its newest versions, labels, and states."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf
from absl import logging
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from pipeline.local_serving.servable import Servable
from pipeline.local_serving.tensor_protos import invalid

_REMEMBERED = 16
"""Unloaded versions whose state is kept."""


State = ModelVersionStatus.State


@dataclasses.dataclass(frozen=True)
class VersionState:
    """A version's state, a number of `State`, and the error of a failed load."""

    version: int
    state: int
    error: tf.errors.OpError | None = None


@dataclasses.dataclass
class _Loaded:
    """A version; its users are the requests that run on it, and the model while it is served."""

    servable: Servable
    users: int = 1


class ServedModel:
    """The newest versions of a model; safe to use from many threads.

    Args:
      name: what clients call it.
      folders: returns the folder of each existing version by number.
      newest: how many of the newest versions to serve.
      labels: version by label.
      load: loads a `Servable` from a folder.
    """

    def __init__(
        self,
        name: str,
        folders: Callable[[], Mapping[int, str]],
        newest: int = 2,
        labels: Mapping[str, int] | None = None,
        load: Callable[[str], Servable] = Servable,
    ) -> None:
        if newest < 1:
            raise ValueError(f"newest must be at least 1, received {newest}.")
        self.name = name
        self._folders = folders
        self._newest = newest
        self._labels = dict(labels or {})
        self._load = load
        self._lock = threading.RLock()
        self._loaded: dict[int, _Loaded] = {}
        self._states: dict[int, VersionState] = {}

    @property
    def versions(self) -> list[int]:
        """The served versions, ascending."""
        with self._lock:
            return sorted(self._loaded)

    @property
    def is_ready(self) -> bool:
        """Whether a version is served, and that of each label."""
        with self._lock:
            return bool(self._loaded) and self._loaded.keys() >= set(self._labels.values())

    def states(self) -> list[VersionState]:
        """Returns the state of each known version, newest first."""
        with self._lock:
            return sorted(self._states.values(), key=lambda one: -one.version)

    def refresh(self) -> None:
        """Loads the newest versions, then unloads the older ones.

        A version that does not load is not tried again while its folder exists. The last served
        version stays until another one is loaded.
        """
        folders = self._folders()
        wanted = sorted(folders)[-self._newest :]
        with self._lock:
            for version in [v for v, one in self._states.items() if one.error and v not in folders]:
                del self._states[version]
            failed = [version for version, one in self._states.items() if one.error]
            new = [v for v in wanted if v not in self._loaded and v not in failed]
        for version in reversed(new):
            self._add(version, folders[version])
        with self._lock:
            good = [version for version in wanted if version in self._loaded]
            stale = [version for version in self._loaded if version not in wanted] if good else []
        for version in stale:
            self._remove(version)

    @contextlib.contextmanager
    def servable(
        self, version: int | None = None, label: str | None = None
    ) -> Iterator[tuple[int, Servable]]:
        """Gives access to a version, which stays loaded until the block ends.

        Args:
          version: its number; None for the newest.
          label: instead of a number.

        Yields:
          The version's number and the version.

        Raises:
          NotFoundError: the version is not served.
          InvalidArgumentError: there is no such label.
        """
        if label is not None:
            if label not in self._labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            version = self._labels[label]
        with self._lock:
            number = max(self._loaded, default=-1) if version is None else version
            loaded = self._loaded.get(number)
            if loaded is None:
                raise not_found(self.name, version)
            loaded.users += 1
        try:
            yield number, loaded.servable
        finally:
            self._release(number, loaded)

    def close(self) -> None:
        """Unloads every version that no request uses."""
        for version in self.versions:
            self._remove(version)

    def _add(self, version: int, folder: str) -> None:
        self._set(VersionState(version, State.LOADING))
        try:
            servable = self._load(folder)
        except (OSError, tf.errors.OpError, ValueError, RuntimeError, LookupError) as error:
            logging.error("Version %d of %s cannot be loaded: %s", version, self.name, error)
            if not isinstance(error, tf.errors.OpError):
                error = tf.errors.UnknownError(None, None, str(error))
            self._set(VersionState(version, State.END, error))
            return
        with self._lock:
            self._loaded[version] = _Loaded(servable)
            self._set(VersionState(version, State.AVAILABLE))
        logging.info("Serving version %d of %s", version, self.name)

    def _remove(self, version: int) -> None:
        with self._lock:
            loaded = self._loaded.pop(version)
            self._set(VersionState(version, State.UNLOADING))
        self._release(version, loaded)

    def _release(self, version: int, loaded: _Loaded) -> None:
        """Ends one use of a version, and unloads it after the last."""
        with self._lock:
            loaded.users -= 1
            if loaded.users:
                return
        loaded.servable.close()
        self._set(VersionState(version, State.END))
        logging.info("Unloaded version %d of %s", version, self.name)

    def _set(self, state: VersionState) -> None:
        with self._lock:
            self._states[state.version] = state
            ended = sorted(v for v, one in self._states.items() if one.state == State.END)
            for version in ended[:-_REMEMBERED]:
                del self._states[version]


def not_found(name: str, version: int | None = None) -> tf.errors.NotFoundError:
    """Returns the error of a request for a version that is not served."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return tf.errors.NotFoundError(None, None, f"Servable not found for request: {wanted}")
