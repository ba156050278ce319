"""Beam's bookkeeping around a small pipeline, done once instead of again and again.

A join of a few hundred rows takes 0.8 s of processor time, of which Beam spends a third asking
each DoFn eight times which state it has, and building parsers of all its options, hundreds a run.
Neither answer changes within a process. Processes that tests start run Beam as it is.
"""

import argparse
import functools
import gettext
import weakref

from apache_beam.options import pipeline_options
from apache_beam.transforms import userstate


def apply() -> None:
    """Remembers both for the rest of this process."""
    specs_of = userstate.get_dofn_specs
    known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def get_dofn_specs(dofn):
        if dofn not in known:
            known[dofn] = specs_of(dofn)
        return known[dofn]

    userstate.get_dofn_specs = get_dofn_specs
    # For each option a parser makes a formatter of help, to check that it could print it.
    formatter = argparse.HelpFormatter("beam")
    pipeline_options._BeamArgumentParser._get_formatter = lambda _: formatter
    gettext.find = functools.cache(gettext.find)
