"""Python imports this as it starts, where `injection.environment` is the environment.

It has no imports that are slow, and none of this project's.
"""

import builtins
import ctypes
import errno
import fnmatch
import functools
import importlib.abc
import importlib.util
import inspect
import itertools
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

_CAPABILITIES_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = 1, 2, 3


class _Fault:
    """What happens at a point, and at which of its calls."""

    def __init__(self, what: str, when: str, point: str, nth: str = "1", *rest: str):
        self._what, self._when, self._point = what, when, point
        self._first, self._repeats = int(nth.rstrip("+")), nth.endswith("+")
        self._pattern, self._files = (rest[0] if rest else "*"), rest[1:]
        self._calls = itertools.count(1)
        is_known = hasattr(self, f"_do_{what}") or hasattr(errno, what)
        if not is_known or when not in ("before", "after"):
            raise ValueError(f"unknown fault: {what} {when} {point}")

    @property
    def module(self) -> str:
        return self._point.partition(":")[0]

    def install(self, module: Any) -> None:
        """Puts a function around the point's."""
        *parents, name = self._point.partition(":")[2].split(".")
        owner = functools.reduce(getattr, parents, module)
        found = inspect.getattr_static(owner, name)
        is_bound = isinstance(found, staticmethod | classmethod)
        wrapped = self._around(found.__func__ if is_bound else found)
        setattr(owner, name, type(found)(wrapped) if is_bound else wrapped)

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def around(*arguments: Any, **named: Any) -> Any:
            paths = [
                os.fsdecode(one)
                for one in (*arguments, *named.values())
                if isinstance(one, str | bytes | os.PathLike)
            ]
            matching = fnmatch.filter(paths, self._pattern)
            count = next(self._calls) if matching or self._pattern == "*" else 0
            happens = count == self._first or (self._repeats and count > self._first)
            if happens and self._when == "before":
                self._happen(*matching)
            result = function(*arguments, **named)
            if happens and self._when == "after":
                self._happen(*matching)
            return result

        return around

    def _happen(self, *paths: str) -> None:
        if do := getattr(self, f"_do_{self._what}", None):
            do()
            return
        number = getattr(errno, self._what)
        raise OSError(number, os.strerror(number), *paths[:1])

    def _do_kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _do_MemoryError(self) -> None:  # noqa: N802  Named by what is raised.
        raise MemoryError

    def _do_replace(self) -> None:
        target, *sources = self._files
        if os.path.isdir(target):
            shutil.rmtree(target)
        elif os.path.lexists(target):
            os.remove(target)
        for source in sources:
            copy = shutil.copytree if os.path.isdir(source) else shutil.copyfile
            copy(source, target)


class _Finder(importlib.abc.MetaPathFinder):
    """Installs faults in modules as they are loaded."""

    def __init__(self, faults: list[_Fault]):
        self._faults = faults

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        mine = [one for one in self._faults if one.module == name]
        self._faults = [one for one in self._faults if one not in mine]
        if not mine or not (spec := importlib.util.find_spec(name)) or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            for one in mine:
                one.install(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _obey_permissions() -> None:
    """Gives up what lets root open, for one, a file of mode 000."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    # Effective, permitted, inheritable; then the same of the capabilities from 32.
    sets = (ctypes.c_uint32 * 6)()
    library = ctypes.CDLL(None, use_errno=True)
    if library.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    for number in (_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER):
        for one in range(3):
            sets[one] &= ~(1 << number)
    if library.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def _main() -> None:
    lines = [shlex.split(line) for line in os.environ.get("FAULTS", "").splitlines()]
    if ["permissions"] in lines and os.geteuid() == 0:
        _obey_permissions()
    faults = [_Fault(*words) for words in lines if words != ["permissions"]]
    later = [one for one in faults if one.module not in sys.modules]
    for one in faults:
        if one not in later:
            one.install(builtins if one.module == "builtins" else sys.modules[one.module])
    if later:
        sys.meta_path.insert(0, _Finder(later))


_main()
