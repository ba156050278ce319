"""Beam's bookkeeping around a small pipeline, done once instead of again and again.

Of the processor time of a join of a few hundred rows Beam spends two thirds to ask each DoFn eight
times which state it has and which arguments, to build parsers of all its options, hundreds a run,
to note for messages of its own where each hint of a type was given, and to collect the global names
of all modules before it weighs a value. No answer changes within a process. Processes that tests
start run Beam as it is.
"""

import argparse
import bz2
import functools
import gettext
import types
import weakref

import objsize
from apache_beam.internal import cloudpickle_pickler
from apache_beam.options import pipeline_options
from apache_beam.runners.worker import statecache
from apache_beam.transforms import core, userstate
from apache_beam.typehints import decorators


def apply() -> None:
    """Remembers all of them for the rest of this process."""
    _remember_specs()
    _remember_options()
    _read_arguments()
    _remember_hints()
    _weigh_alone()
    _compress_once()


def _remember_specs() -> None:
    """A DoFn has the state and the timers of its class, unless it holds a method of its own."""
    specs_of = userstate.get_dofn_specs
    known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def get_dofn_specs(dofn):
        own = vars(dofn)
        if any(isinstance(value, types.MethodType) for value in own.values()):
            return specs_of(dofn)
        if hasattr(dofn, "_inspect_process") and "process" not in own:
            return specs_of(dofn)
        kind = type(dofn)
        if kind not in known:
            known[kind] = specs_of(dofn)
        return known[kind]

    userstate.get_dofn_specs = get_dofn_specs


def _remember_options() -> None:
    """Flags are parsed once for each group of options."""
    # For each option a parser makes a formatter of help, to check that it could print it.
    formatter = argparse.HelpFormatter("beam")
    pipeline_options._BeamArgumentParser._get_formatter = lambda _: formatter
    gettext.find = functools.cache(gettext.find)
    options = pipeline_options.PipelineOptions
    parse = options.__init__
    known: dict[tuple, argparse.Namespace] = {}

    def __init__(self, flags=None, **kwargs):  # noqa: N807  It stands for that of the class.
        if flags is None or isinstance(flags, str):
            parse(self, flags, **kwargs)
            return
        key = (type(self), *flags)
        if key not in known:
            parse(self, flags)
            known[key] = self._visible_options
        # Whoever appends to a list of one pipeline does not do so to that of the next.
        values = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(known[key]).items()
        }
        self._flags = flags
        self._visible_options = argparse.Namespace(**values)
        self._all_options = values | kwargs

    options.__init__ = __init__
    options._visible_option_list = lambda self: sorted(vars(self._visible_options))


def _read_arguments() -> None:
    """What a plain function takes stands in its code: no signature has to be made of it."""
    slowly = core.get_function_args_defaults

    def get_function_args_defaults(called):
        bound = isinstance(called, types.MethodType)
        function = called.__func__ if bound else called
        if not isinstance(function, types.FunctionType) or vars(function):
            return slowly(called)
        code = function.__code__
        names = list(code.co_varnames[: code.co_argcount])
        if bound and not names:
            return slowly(called)
        return names[bound:], list(function.__defaults__ or ())

    core.get_function_args_defaults = get_function_args_defaults


def _remember_hints() -> None:
    """The annotations and the source of a piece of code are read once.

    Beam makes most functions of a pipeline anew, from the same code.
    """
    hints = decorators.IOTypeHints
    # Beam's own messages lose the stack of where a hint was given.
    hints._make_origin = classmethod(lambda *_, **__: [])
    hints.from_callable = _by_code(hints.from_callable)
    core._check_fn_use_yield_and_return = _by_code(core._check_fn_use_yield_and_return)


def _by_code(answer):
    """Asks once about functions with the same code and the same annotations."""
    known: dict[tuple, object] = {}

    def answered(called):
        bound = isinstance(called, types.MethodType)
        function = called.__func__ if bound else called
        if not isinstance(function, types.FunctionType) or vars(function):
            return answer(called)
        code, annotations = function.__code__, function.__annotations__
        key = (bound, code.co_filename, code, *annotations, *map(id, annotations.values()))
        if key not in known:
            # What was annotated stays, so that no other object gets its id.
            known[key] = answer(called), function
        return known[key][0]

    return answered


def _weigh_alone() -> None:
    """A value of a side input is weighed without a look at what all modules hold."""
    statecache.get_deep_size = functools.partial(
        objsize.get_deep_size,
        get_size_func=statecache._size_func,
        get_referents_func=statecache._get_referents_func,
        filter_func=statecache._filter_func,
        exclude_modules_globals=False,
    )


def _compress_once() -> None:
    """Most functions that Beam pickles are the same in each pipeline."""
    cloudpickle_pickler.bz2 = types.SimpleNamespace(
        compress=functools.lru_cache(1000)(bz2.compress),
        decompress=functools.lru_cache(1000)(bz2.decompress),
    )
