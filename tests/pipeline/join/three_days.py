"""Logs of three days, and how to join them: all at once or as parts of a data set that grows."""

import hashlib

import numpy as np

from features.embeddings import embedding_set
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import event_oracle, logs

DAY = 86_400
DAYS = ("d1", "d2", "d3")
SPLITS = f"train:..{2 * DAY + DAY // 2},validation:{2 * DAY + DAY // 2}..{3 * DAY},test:{3 * DAY}.."
ITEMS = range(100, 125)
WIDTH = 5


def random_days(seed):
    """Returns the rows of three days: users come and go, behaviors sit close to midnight."""
    random = np.random.default_rng(seed)
    days = {}
    for day, name in enumerate(DAYS, 1):
        rows = []
        for _ in range(90):
            user = int(random.integers(9))
            # The first two users are absent in the middle, others on the last or the first day.
            if (day == 2 and user < 2) or (day == 3 and user == 2) or (day == 1 and user == 3):
                continue
            within = int(random.choice([random.integers(DAY), DAY - 1 - random.integers(9) * 7]))
            rows.append(
                {
                    "user_id": user,
                    "item_id": ITEMS[int(random.random() ** 2 * len(ITEMS))],
                    "timestamp": day * DAY + within,
                    "click": int(random.integers(2)),
                    "rating": float(random.integers(1, 6)),
                    "request_id": int(day * 1000 + random.integers(40)),
                }
            )
        rows += [dict(rows[n]) for n in random.integers(len(rows), size=5)]
        # An item of its own, seen early on the day.
        rows.append({**rows[0], "item_id": 200 + day, "timestamp": day * DAY, "request_id": day})
        days[name] = rows
    return days


def write_vectors(folder, version):
    values = np.random.default_rng(0).standard_normal((20, WIDTH)).astype(np.float32)
    embedding_set.write_embedding_set(str(folder), np.array(ITEMS[:20]), values, "encoder", version)


class Source:
    """Logs of single days and of all, with or without request ids, and how to join them."""

    def __init__(self, folder, days, request_ids):
        self.folder, self.days = folder, days
        if not request_ids:
            self.days = {
                day: [{k: v for k, v in row.items() if k != "request_id"} for row in rows]
                for day, rows in days.items()
            }
        everything = [row for rows in self.days.values() for row in rows]
        self.logs = {day: self.write(day, rows) for day, rows in self.days.items()}
        self.logs["all"] = self.write("all", everything)

    def write(self, name, rows):
        return logs.write_log(self.folder / f"log-{name}", rows)

    def join(self, day, output="out", **values):
        part = {} if day == "all" else {"part": day}
        return build_examples(
            JoinOptions.from_dict(
                {
                    "events": self.logs[day],
                    "output": str(self.folder / output),
                    "history_length": 6,
                    "partitions": 3,
                    "splits": SPLITS,
                    **part,
                    **values,
                }
            )
        )

    def grown(self, output="out", days=DAYS, **values):
        for day in days:
            manifest = self.join(day, output, **values)
        return manifest


def contents(folder):
    """Returns the hash and the time of change of each file."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def of_parts(folder):
    total = event_oracle.everything(folder / "part=d1")
    return total + sum(
        (event_oracle.everything(folder / f"part={day}") for day in DAYS[1:]), type(total)()
    )
