"""Requests and their behavior sequences, by index arithmetic on sorted arrays.

Shapes: E events of one partition, C of them candidates, Q requests, B behaviors.

Example: user 4 has events at times 10 20 30, all candidates with request ids 7 8 7, the first two
behaviors. `order` is 0 2 1 (request 7 begins at 10, before 8), `starts` is 0 2 3, the requests'
times are 10 20, `behaviors` is 0 1, and the histories are `behaviors[0:0]` and `behaviors[0:1]`.
"""

import dataclasses

import numpy as np

from pipeline.join.inputs.duplicates import run_starts


@dataclasses.dataclass(frozen=True)
class Requests:
    """The requests of a partition, by user, time and request id.

    Attributes:
      order: `[C]` positions of the candidates, grouped by request; within one by time and row.
      starts: `[Q + 1]`, request r's candidates are `order[starts[r]:starts[r + 1]]`.
      first: `[Q]` position of the earliest candidate, which gives the request its time and context.
      user: `[Q]` int64.
      request: `[Q]` int64.
      time: `[Q]` int64 microseconds, the earliest of its candidates.
      behaviors: `[B]` positions of the events that are behaviors, by user, time and row.
      history_start: `[Q]`, request r's history is `behaviors[history_start[r]:history_end[r]]`.
      history_end: `[Q]`.
    """

    order: np.ndarray
    starts: np.ndarray
    first: np.ndarray
    user: np.ndarray
    request: np.ndarray
    time: np.ndarray
    behaviors: np.ndarray
    history_start: np.ndarray
    history_end: np.ndarray


def build_requests(
    user: np.ndarray,
    time: np.ndarray,
    request: np.ndarray,
    is_candidate: np.ndarray,
    is_behavior: np.ndarray,
    history_length: int,
    delay: int = 0,
) -> Requests:
    """Groups candidates into requests and finds each request's behaviors.

    A behavior of a request is strictly older than `request time - delay`, so events of one
    instant, a request's own among them, never see each other.

    Args:
      user: `[E]` int64, events sorted by user, time and row.
      time: `[E]` int64 microseconds.
      request: `[E]` int64; candidates of a user with the same value are shown together.
      is_candidate: `[E]` bool.
      is_behavior: `[E]` bool; an event may be both, or neither.
      history_length: the most behaviors of a request (L); the latest are kept.
      delay: microseconds.
    """
    candidates, behaviors = np.flatnonzero(is_candidate), np.flatnonzero(is_behavior)
    candidate_user = user[candidates]
    order, starts, request_time = _group(candidate_user, time[candidates], request[candidates])
    order = candidates[order]
    first = order[starts[:-1]]
    request_user = user[first]
    end = _older_behaviors(request_user, request_time - delay, user[behaviors], time[behaviors])
    # `end` counts the behaviors of all users before; those of other users end at `user_start`.
    user_start = np.searchsorted(user[behaviors], request_user, side="left")
    return Requests(
        order=order,
        starts=starts,
        first=first,
        user=request_user,
        request=request[first],
        time=request_time,
        behaviors=behaviors,
        history_start=np.maximum(user_start, end - history_length),
        history_end=end,
    )


def check_causal(
    requests: Requests, behavior_user: np.ndarray, behavior_time: np.ndarray, delay: int = 0
) -> None:
    """Checks that no request sees its own instant or later, and no other user's behavior.

    Args:
      requests: as built.
      behavior_user: `[B]` int64.
      behavior_time: `[B]` int64 microseconds.
      delay: microseconds.

    Raises:
      RuntimeError: the sequences leak; a fault of this program, not of the input.
    """
    filled = requests.history_end > requests.history_start
    youngest = behavior_time[requests.history_end[filled] - 1]
    late = youngest >= requests.time[filled] - delay
    for bound in (requests.history_start[filled], requests.history_end[filled] - 1):
        late |= behavior_user[bound] != requests.user[filled]
    if late.any():
        position = np.flatnonzero(filled)[np.flatnonzero(late)[0]]
        raise RuntimeError(
            f"{late.sum()} requests see a behavior of their own instant or later, or of another "
            f"user, the first of user {requests.user[position]} at "
            f"{requests.time[position]} microseconds."
        )


def _group(
    user: np.ndarray, time: np.ndarray, request: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns `order`, `starts` and the requests' times."""
    count = len(user)
    # One run per request, to find its earliest time: of requests 7 8 7 at times 10 20 30
    # `by_request` is 0 2 1, `group` is 0 0 1, and `event_time` becomes 10 20 10.
    by_request = np.lexsort((request, user))
    new = run_starts(user[by_request], request[by_request])
    group = np.cumsum(new) - 1
    if count:
        earliest = np.minimum.reduceat(time[by_request], np.flatnonzero(new))
        event_time = np.empty(count, np.int64)
        event_time[by_request] = earliest[group]
    else:
        event_time = np.zeros(0, np.int64)
    # Requests by time; the position comes last, so that candidates keep their order within one.
    order = np.lexsort((np.arange(count), request, event_time, user))
    starts = np.flatnonzero(run_starts(user[order], request[order]))
    return order, np.append(starts, count), event_time[order[starts]]


def _older_behaviors(
    query_user: np.ndarray,
    query_time: np.ndarray,
    behavior_user: np.ndarray,
    behavior_time: np.ndarray,
) -> np.ndarray:
    """Returns how many behaviors sort before each query.

    They are the user's strictly older ones, and all behaviors of users that sort before.

    Queries sort before behaviors of the same user and instant, so one sort of both and a
    running count suffice.
    """
    queries = len(query_user)
    users = np.concatenate([query_user, behavior_user])
    times = np.concatenate([query_time, behavior_time])
    # Queries of one user at times 20 30, behaviors at 10 20 25: sorted they are b10 q20 b20 b25
    # q30, the running count of behaviors is 1 1 2 3 3, so the queries see 1 and 3.
    is_behavior = np.arange(len(users)) >= queries
    order = np.lexsort((is_behavior, times, users))
    before = np.cumsum(is_behavior[order])
    counts = np.empty(len(users), np.int64)
    counts[order] = before
    return counts[:queries]
