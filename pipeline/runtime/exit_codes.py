"""Exit codes, the same for every job, and which of them an error means.

`of` knows the errors of the operating system, by whichever library they come: as Python, PyArrow,
TensorFlow and DuckDB raise them, and as text of a Beam worker. `docs/jobs.md` has the table.
"""

import errno
import os
import re
from collections.abc import Iterator

from features.errors import RetryError, UserInputError

OK = 0
FAILURE = 1
"""A fault of this project, which a traceback names."""
USER_ERROR = 2
"""Input, flags or the machine are at fault: the same command fails again, until that is fixed."""
RETRY = 75
"""EX_TEMPFAIL. A training that stopped after a checkpoint, or a fault of the moment."""

MEANINGS = {
    OK: "done",
    USER_ERROR: "the message says what to fix: input, flags, or a machine without room or rights",
    RETRY: "stopped after a checkpoint, or a disk that failed for a moment: the same command again",
    FAILURE: "a fault of the program, with a traceback",
}
"""What a code means, for `--help` and the documentation."""

UNNAMED = "A file of this job"
"""How a sentence starts where the error names no file."""

_AGAIN = "run the same command again"
_ROOM = f"Make room there, or choose a place on another disk; then {_AGAIN}."
_ALLOW = "Give the user that runs the job the right to it, or choose another place."
_PASSING = (
    f"{{0}}: the disk, or the network to it, failed ({{1}}). {_AGAIN.capitalize()}; where it fails "
    "again, the disk has to be looked at."
)
SENTENCES: dict[int, tuple[int, str]] = {
    errno.ENOSPC: (USER_ERROR, f"{{0}}: no space is left on the disk. {_ROOM}"),
    errno.EDQUOT: (USER_ERROR, f"{{0}}: the quota of the disk is used up. {_ROOM}"),
    errno.EFBIG: (USER_ERROR, f"{{0}}: larger than the disk or `ulimit -f` allows. {_ROOM}"),
    errno.EROFS: (
        USER_ERROR,
        "{0}: the disk can only be read. Choose a place that can be written.",
    ),
    errno.EACCES: (USER_ERROR, f"{{0}}: permission denied. {_ALLOW}"),
    errno.EPERM: (USER_ERROR, f"{{0}}: the system does not permit it. {_ALLOW}"),
    errno.ENAMETOOLONG: (USER_ERROR, "{0}: the name is too long. Choose a shorter path."),
    errno.ELOOP: (USER_ERROR, "{0}: symbolic links lead in a circle. Choose a path without them."),
    errno.ENOENT: (
        USER_ERROR,
        f"{{0}}: there is no such file or folder, or it was removed while the job ran. Put it "
        f"back; then {_AGAIN}.",
    ),
    errno.EEXIST: (USER_ERROR, f"{{0}} exists already. Remove it; then {_AGAIN}."),
    errno.ENOTEMPTY: (USER_ERROR, f"{{0}} is not empty. Remove it; then {_AGAIN}."),
    errno.ENOTDIR: (USER_ERROR, "{0}: a file, where a folder was expected. Choose another path."),
    errno.EISDIR: (USER_ERROR, "{0}: a folder, where a file was expected. Choose another path."),
    errno.EMFILE: (USER_ERROR, f"{{0}}: too many open files. Raise `ulimit -n`; then {_AGAIN}."),
    errno.ENFILE: (
        USER_ERROR,
        f"{{0}}: too many open files on this machine. {_AGAIN.capitalize()}.",
    ),
    errno.EIO: (RETRY, _PASSING),
    errno.ESTALE: (RETRY, _PASSING),
    errno.EREMOTEIO: (RETRY, _PASSING),
    errno.ETIMEDOUT: (RETRY, _PASSING),
}
"""By code of the system: the exit code, and a sentence about the file and the system's words."""

_MEMORY = (
    "Out of memory: {0}. Run the job where more memory is free, or with smaller batches, fewer "
    "workers or more partitions."
)
WORKER_ENDED = (
    "A worker process of this job was ended by something else, often for want of memory. "
    f"{_AGAIN.capitalize()}; where that happens again, with fewer workers (--direct_num_workers)."
)
"""What to tell the user whose machine has ended a worker."""

_DAMAGED = "A file is damaged: {0}. Write it anew with the job that made it."

_OF_TEXT = {os.strerror(number).lower(): number for number in SENTENCES}
_SYSTEM_WORDS = re.compile(
    rf"\[errno (?P<number>\d+)\]|(?P<words>{'|'.join(map(re.escape, _OF_TEXT))})", re.IGNORECASE
)
_OWN = re.compile(r"\b(UserInputError|RetryError): (.*?)(?=\n\n|\nTraceback |\Z)", re.DOTALL)
_MEMORY_TEXT = re.compile(r"\w*MemoryError\b.*|OOM when.*|Out of Memory Error:.*")
_BEAM_STEP = re.compile(r" ?\[while running .*?\](?=\s|$)")
_TENSORFLOW_NODE = re.compile(r"\{\{.*?\}\} ?| ?\[Op:\w+\]( name: )?")
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<path>[^'"\n]*/[^\n]*?)(?P=quote)""")
_BEFORE_WORDS = re.compile(r"(?:^|\s)(/[^;\n]*?)(?:; | is )")
# Libraries whose errors carry the system's words in their text alone.
_WRAPPING = ("tensorflow", "_duckdb", "duckdb", "pyarrow")


def of(error: BaseException) -> tuple[int, str] | None:
    """Returns the exit code of an error and what to tell the user.

    Errors that it came from are looked at too, as a traceback shows them. Python and PyArrow do not
    say which file a disk had no room for; the sentence then starts with `UNNAMED`.

    Returns:
      None where the error is none that is known: a fault of this project.
    """
    chain = list(_chain(error))
    for place, one in enumerate(chain):
        if isinstance(one, UserInputError):
            # What could not be read for a moment is no wrong input.
            causes = [found for cause in chain[place + 1 :] if (found := _of_one(cause))]
            if any(code == RETRY for code, _ in causes):
                return RETRY, f"{one} {_AGAIN.capitalize()}."
            return USER_ERROR, str(one)
        if found := _of_one(one):
            return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and those that it came from."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        yield one
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _of_one(error: BaseException) -> tuple[int, str] | None:
    if isinstance(error, RetryError):
        return RETRY, str(error)
    if isinstance(error, MemoryError):
        return USER_ERROR, _MEMORY.format(str(error).rstrip(".") or "the system gives no more")
    if isinstance(error, OSError):
        number = error.errno or _number_of_class(error)
        if number is not None:
            return _of_number(number, _file_of(error))
        return _of_text(str(error))
    if type(error).__module__.split(".")[0] in _WRAPPING or type(error) is RuntimeError:
        return _of_text(str(error)) or _of_class(error)
    return None


def _number_of_class(error: OSError) -> int | None:
    """Returns the code of an error that was made without one, as PyArrow does."""
    classes = {
        FileNotFoundError: errno.ENOENT,
        PermissionError: errno.EACCES,
        TimeoutError: errno.ETIMEDOUT,
    }
    return classes.get(type(error))


def _of_number(number: int, file: str) -> tuple[int, str] | None:
    if number not in SENTENCES:
        return None
    code, sentence = SENTENCES[number]
    text = sentence.format(file or UNNAMED, os.strerror(number))
    return code, text


def _of_text(text: str) -> tuple[int, str] | None:
    """Returns what a text says of the system, of memory, or of the user's input."""
    text = _BEAM_STEP.sub("", _TENSORFLOW_NODE.sub("", text))
    if own := _OWN.findall(text):
        name, sentence = own[-1]
        return (USER_ERROR if name == "UserInputError" else RETRY), sentence.strip()
    if system := list(_SYSTEM_WORDS.finditer(text)):
        last = system[-1]
        number = int(last["number"]) if last["number"] else _OF_TEXT[last["words"].lower()]
        return _of_number(number, _file_in(text, last))
    if found := _MEMORY_TEXT.search(text):
        return USER_ERROR, _MEMORY.format(found[0].strip().rstrip("."))
    # Beam's words of a worker that is gone.
    return (RETRY, WORKER_ENDED) if text == "Channel closed prematurely." else None


def _of_class(error: BaseException) -> tuple[int, str] | None:
    """Returns what TensorFlow's class of an error says where its text does not."""
    if type(error).__name__ == "DataLossError":
        first = _TENSORFLOW_NODE.sub("", str(error)).strip().splitlines()[0]
        return USER_ERROR, _DAMAGED.format(first)
    return None


def _file_of(error: OSError) -> str:
    """Returns the file of an error of the system, quoted; empty where none is named."""
    name = error.filename if error.filename is not None else error.filename2
    if isinstance(name, str | bytes | os.PathLike):
        return _shown(os.fsdecode(name))
    found = _QUOTED.search(str(error))
    return _shown(found["path"]) if found else ""


def _file_in(text: str, words: re.Match[str]) -> str:
    """Returns the file that a text names beside the system's words."""
    line = text[text.rfind("\n", 0, words.start()) + 1 :].partition("\n")[0]
    if found := _QUOTED.search(line):
        return _shown(found["path"])
    found = _BEFORE_WORDS.search(line)
    return _shown(found[1]) if found else ""


def _shown(path: str) -> str:
    """Returns a path in quotes, shortened in its middle."""
    return repr(path if len(path) <= 300 else f"{path[:140]}...{path[-140:]}")
