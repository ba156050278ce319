"""Random logs with everything that goes wrong in real ones: ties, duplicates, unknown ids."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def random_rows(seed, events=120, users=5, items=12, moments=25, request_ids=False, text=True):
    """Returns rows as dicts: many share an instant, one in ten is a duplicate of another."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(events):
        if rows and random.random() < 0.1:
            rows.append(dict(rows[random.integers(len(rows))]))
            continue
        user, item = int(random.integers(users)), int(random.integers(items))
        row = {
            "user_id": f"user-{user}" if text else user,
            "item_id": f"item-{item}" if text else item,
            "timestamp": 1_000_000 + int(random.integers(moments)) * 7,
            "click": int(random.integers(2)),
            "rating": float(random.integers(1, 6)),
        }
        if request_ids:
            row["request_id"] = int(random.integers(30))
        rows.append(row)
    return rows


def write_log(folder, rows, files=2, row_group_size=17):
    """Writes rows as a folder of Parquet files of several row groups, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // files)
    for number in range(files):
        part = pa.Table.from_pylist(rows[number * size : (number + 1) * size])
        pq.write_table(part, folder / f"part-{number}.parquet", row_group_size=row_group_size)
    return str(folder)


def random_embeddings(seed, item_ids, width, missing=0.2, times=None):
    """Returns item id to (vector, available_at in microseconds or None); one vector is zero."""
    random = np.random.default_rng(seed)
    vectors = {}
    for number, item in enumerate(item_ids):
        if random.random() < missing:
            continue
        vector = random.normal(size=width).astype(np.float32) * (number != 3)
        vectors[item] = (vector, None if times is None else int(random.choice(times)))
    return vectors


def write_embeddings(folder, vectors):
    """Writes a bare embedding set."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = list(vectors)
    width = len(next(iter(vectors.values()))[0])
    flat = pa.array(np.concatenate([vectors[item][0] for item in ids]))
    columns = {
        "item_id": pa.array(ids),
        "embedding": pa.FixedSizeListArray.from_arrays(flat, width),
    }
    if any(vectors[item][1] is not None for item in ids):
        columns["available_at"] = pa.array([vectors[item][1] for item in ids], pa.int64())
    pq.write_table(pa.table(columns), folder / "part.parquet")
    return str(folder)
