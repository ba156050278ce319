"""The `main` that every job shares: flags, logging, error messages and exit codes.

A job's module looks like this, and defines its flags only when it runs:

    def define_flags() -> None:
        with flag_group("Output"):
            flags.DEFINE_string("output", None, "`FOLDER` to publish.", required=True)

    def _main(arguments: Sequence[str]) -> None:
        from models.training import fit
        ...

    def main() -> None:
        entry_point.run(_main, define_flags)

What loads TensorFlow, Beam or DuckDB is imported where it is used: `--help` and
`--only_check_args` do without. `help_text` says what `--help` prints.
"""

import atexit
import contextlib
import errno
import logging as python_logging
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from absl import app, flags, logging

from features.errors import UserInputError
from pipeline.runtime import disk_checks, exit_codes, help_text, path_rules, plain_text


def run(
    main_fn: Callable[[Sequence[str]], None],
    define_flags: Callable[[], None] | None = None,
    pass_unknown_flags: bool = False,
    check_flags: Callable[[Sequence[str]], object] | None = None,
    verbs: Sequence[str] = (),
    hints: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Parses the flags, runs the job and exits.

    Args:
      main_fn: receives the arguments that are not flags of this project, without the program's
        name.
      define_flags: defines the job's flags; None where the module defined them.
      pass_unknown_flags: pass flags of others (Beam's) to `main_fn` instead of refusing them.
      check_flags: raises `UserInputError` for what is wrong with the flags themselves. Called
        with absl's `--only_check_args`, which `pipeline.submit` gives and which ends the process
        before `main_fn`. It must not read the input, which may be on another machine.
      verbs: what the job can do; it takes exactly one of them as its positional argument.
      hints: what to give instead of an unknown flag, by the flag's name.

    Paths are checked by `path_rules` before anything else: no output may meet an input. Then, but
    not with `--only_check_args`, `disk_checks` looks whether the outputs can be written.

    Where tensorflow-io is loaded, this function ends the process itself, after everything that
    Python does at exit: the library's own end could change the exit code.

    Raises:
      SystemExit: always. The code is 0, after `--help` too, 2 after an invalid flag, or what
        `exit_codes` knows of an exception, whose sentence goes to stderr without a traceback. Other
        exceptions pass through.
    """
    groups = help_text.define_groups(define_flags or (lambda: None))
    app.define_help_flags()
    help_text.define_help_flags(main_fn.__globals__["__doc__"] or "", groups)

    def parse(argv: list[str]) -> list[str]:
        with _exit_with_sentence():
            try:
                repeated = _repeated(argv, groups)
                program, *arguments = flags.FLAGS(repeated, known_only=pass_unknown_flags)
            except flags.Error as error:
                unknown = getattr(error, "flagname", "").removeprefix("no")
                if unknown in hints:
                    raise UserInputError(f"{error}: give {hints[unknown]}.") from None
                raise UserInputError(f"{_message(error, groups)} See --help.") from None
            if verbs and (len(arguments) != 1 or arguments[0] not in verbs):
                received = arguments or "none"
                raise UserInputError(f"Give one of {', '.join(verbs)}, received {received}.")
            if arguments and not verbs and not pass_unknown_flags:
                raise UserInputError(
                    f"Unexpected arguments {arguments}: this job takes flags only."
                )
            path_rules.check_flags(groups)
            if flags.FLAGS.only_check_args and check_flags is not None:
                check_flags(arguments)
        return [program, *arguments]

    def guarded(argv: list[str]) -> None:
        configure_logging()
        outputs, inputs = path_rules.places(groups)
        with _exit_with_sentence(outputs):
            disk_checks.check(outputs, inputs)
            main_fn(argv[1:])

    try:
        app.run(guarded, flags_parser=parse)
    except BaseException as error:
        if "tensorflow_io" in sys.modules:
            _end(error)
        raise


def _message(error: flags.Error, groups: help_text.Groups) -> str:
    """Returns what is wrong with the flags; absl calls a missing one "None"."""
    every = (flag for group in groups.values() for flag in group)
    missing = [f"--{one.name}" for one in every if help_text.is_required(one) and not one.present]
    if missing and "other than None" in str(error):
        return f"Give {', '.join(missing)}, which this job requires."
    return f"{error}" if str(error).endswith((".", "?")) else f"{error}."


def modality_folders(texts: Sequence[str], flag: str = "embeddings") -> dict[str, str]:
    """Parses the values of a repeatable flag `--embeddings modality=FOLDER`.

    Raises:
      UserInputError: a value is not `name=FOLDER`, or a name appears twice.
    """
    folders: dict[str, str] = {}
    for text in texts:
        name, separator, folder = text.partition("=")
        if not separator or not folder or name in folders:
            what = "modality" if flag == "embeddings" else "name"
            raise UserInputError(f"--{flag} {text!r} must be {what}=FOLDER, each {what} once.")
        folders[name] = folder
    return folders


def named_locations(texts: Sequence[str], flag: str) -> dict[str, tuple[str, ...]]:
    """Parses the values of a repeatable flag `--label_logs click=FOLDER`; a name may repeat.

    Raises:
      UserInputError: a value is not `name=FOLDER`.
    """
    locations: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, separator, location = text.partition("=")
        if not separator or not name or not location:
            raise UserInputError(f"--{flag} {text!r} must be NAME=FOLDER.")
        locations[name] = (*locations.get(name, ()), location)
    return locations


def _repeated(argv: Sequence[str], groups: help_text.Groups) -> list[str]:
    """Returns the arguments with a flag before each of its paths: a shell's `--events *.csv`.

    Only flags that may be repeated and name folders take several paths.
    """
    several = {
        flag.name
        for group in groups.values()
        for flag in group
        if isinstance(flag, flags.MultiFlag) and help_text.value_of(flag) == "FOLDER"
    }
    found: list[str] = []
    name, is_value = None, False
    for argument in argv:
        if argument.startswith("-"):
            text, separator, _ = argument.lstrip("-").partition("=")
            name = text if text in several else None
            is_value = not separator
            found.append(argument)
        elif name is None or is_value:
            is_value = False
            found.append(argument)
        else:
            found.append(f"--{name}={argument}")
    return found


@contextlib.contextmanager
def _exit_with_sentence(outputs: Sequence[path_rules.Place] = ()) -> Iterator[None]:
    """Ends the process after an error that `exit_codes` knows, with its sentence."""
    try:
        yield
        sys.stdout.flush()  # At Python's own end an error would be lost.
    except Exception as error:
        is_of_stdout = _is_of_stdout(error)
        if is_of_stdout and isinstance(error, BrokenPipeError):
            raise SystemExit(exit_codes.OK) from None  # `| head` has read enough.
        if (found := exit_codes.of(error)) is None:
            raise
        code, sentence = found
        if sentence.startswith(exit_codes.UNNAMED):
            place = f"Standard output goes there. {disk_checks.room(outputs)}"
            sentence = f"{sentence} {place if is_of_stdout else disk_checks.room(outputs)}"
        sys.stderr.write(plain_text.escaped(f"Error: {sentence}\n", plain_text.LAYOUT))
        raise SystemExit(code) from None


def _is_of_stdout(error: Exception) -> bool:
    """Whether an error says that what was printed cannot be written; it is dropped then."""
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    try:
        sys.stdout.flush()
        number = sys.stdout.fileno()
        if isinstance(error, BrokenPipeError):
            poll = select.poll()
            poll.register(number, select.POLLERR)
            found = bool(poll.poll(0))
        else:
            is_file = stat.S_ISREG(os.fstat(number).st_mode)
            found = is_file and error.errno == errno.ENOSPC and not os.fstatvfs(number).f_bavail
    except OSError:
        found = True
    if found:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return found


def given_flags(without: Collection[str] = ()) -> list[str]:
    """Returns the flags of this process as `--name=value`, for another command line.

    Args:
      without: names of flags to leave out.
    """
    given = (flag for name in flags.FLAGS if (flag := flags.FLAGS[name]).present)
    return [
        text
        for flag in sorted(given, key=lambda flag: flag.name)
        if flag.name not in without
        for text in _serialized(flag)
    ]


def _serialized(flag: flags.Flag) -> list[str]:
    """Returns a flag as arguments; a value may have several lines."""
    if isinstance(flag, flags.MultiFlag):
        return [f"--{flag.name}={value}" for value in flag.value or ()]
    return [flag.serialize()] if flag.value is not None else []


class _MessageFormatter(python_logging.Formatter):
    """The message alone, in which text of files cannot act on the terminal."""

    def format(self, record: python_logging.LogRecord) -> str:
        return plain_text.escaped(super().format(record), plain_text.LAYOUT)


def configure_logging() -> None:
    """Logs level INFO and above to stderr, the message alone, and each message once."""
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(_MessageFormatter())
    root = python_logging.getLogger()
    for handler in list(root.handlers):
        if handler is not logging.get_absl_handler():
            root.removeHandler(handler)


def _end(error: BaseException) -> None:
    """Ends the process as Python would after this exception, but without C++ destructors.

    tensorflow-io 0.37.1 that has opened an `s3://` file aborts in them: its AWS library ends in
    the wrong order, "pure virtual method called", and the exit code becomes 134.
    """
    if isinstance(error, SystemExit):
        code = error.code
        if code is not None and not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
            code = 1
    else:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
    # In Python's own order: join threads, run exit handlers, flush.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code or 0)
