"""Sums by id that go on from where an earlier part of the log ended.

An earlier part leaves of each id one addition, all that had been added before some moment, and the
single additions from that moment on, of which a later request may not know yet. Adding goes on from
the first where it had stopped, so each sum is that of one log, to the bit: float64 rounds a sum of
one order in one way.
"""

import numpy as np

from pipeline.join.partition.cumulative_sums import Additions, CumulativeSums
from pipeline.join.rules import splits


class CarriedSums:
    """Sums of what earlier parts and this one add.

    Args:
      earlier: as `settled` returned it, or no row; of one instant in the order of adding.
      own: of this part, all later than the earlier ones.
      asked: ids that `before` is asked for, besides those of `own`.

    Attributes:
      before: as of `CumulativeSums`.
    """

    def __init__(self, earlier: Additions, own: Additions, asked: np.ndarray):
        # Most ids of a large catalog do not occur in a part: what is known of them stays as it is.
        present = np.ones(len(earlier.ids), bool)
        if present.size:
            pending = earlier.ids[earlier.times > splits.BEGIN]
            present = np.isin(earlier.ids, np.concatenate([own.ids, asked, pending]))
        self._others = earlier.taken(~present)
        self._additions = earlier.taken(present).followed_by(own)
        self._sums = CumulativeSums(
            self._additions.ids, self._additions.times, self._additions.values
        )
        self.before = self._sums.before

    def settled(self, moment: int) -> Additions:
        """Returns what the next part goes on from, by id and time.

        Additions 1 and 5 to one id at times 10 and 20 are, settled before 15, 1 at `splits.BEGIN`
        and 5 at 20.

        Args:
          moment: microseconds; sums before earlier moments will not be asked for any more.
        """
        additions = self._additions
        settled = additions.times < moment
        ids = np.unique(additions.ids[settled])
        sums = self.before(ids, np.full(len(ids), moment))
        base = Additions(ids, np.full(len(ids), splits.BEGIN), sums)
        found = self._others.followed_by(base).followed_by(additions.taken(~settled))
        return found.taken(np.lexsort((found.times, found.ids)))
