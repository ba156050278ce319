"""A log with everything that records can hold, and the commands from the join to the export."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MODALITIES = {"text": 8, "image": 6}
ITEMS, USERS, ROWS = 60, 40, 3000

SMALL = (
    *("--set=model.hidden=(8,)", "--set=model.embedding_width=4", "--set=model.head_width=4"),
    *("--set=model.tier_width=2", "--set=model.projection_width=2", "--set=model.content_width=2"),
    *("--set=model.side_buckets=16", "--set=model.pretraining_epochs=1"),
    *("--set=model.conversion_label=conversion", "--set=training.batch_candidates=256"),
    *("--set=training.epochs=1", "--set=training.evaluations_per_epoch=2"),
)


def write_tables(folder: Path) -> None:
    """Writes a log with two labels, embedding sets that lack items, and items and users."""
    rng = np.random.default_rng(0)
    items, users = np.arange(1, ITEMS + 1), np.arange(1, USERS + 1)
    click = (rng.random(ROWS) < 0.4).astype(np.int64)
    request = np.arange(ROWS) // 3
    log = {
        "user_id": rng.choice(users, ROWS // 3)[request],
        "request_id": request,
        "item_id": rng.choice(items, ROWS),
        "timestamp": 1_700_000_000 + 60 * request,
        "click": click,
        "conversion": click * (rng.random(ROWS) < 0.5),
        "device": rng.choice(["phone", "desk"], ROWS // 3)[request],
        "dwell": rng.random(ROWS),
    }
    category, city = rng.choice(["x", "y"], ITEMS), rng.choice(["p", "q"], USERS)
    tables = {
        "log": log,
        "items": {"item_id": items, "category": category, "price": rng.random(ITEMS)},
        "users": {"user_id": users, "age": rng.random(USERS) * 60, "city": city},
    }
    for name, width in MODALITIES.items():
        vectors = rng.normal(size=(ITEMS - 5, width)).astype(np.float32).tolist()
        kind = pa.list_(pa.float32())
        tables[name] = {"item_id": items[5:], "embedding": pa.array(vectors, kind)}
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.table(table), folder / name / "part-0.parquet")


def embeddings(folder: Path) -> list[str]:
    """Returns the flags of both embedding sets."""
    return [f"--embeddings={name}={folder / name}" for name in MODALITIES]


def join(folder: Path, output: str = "examples") -> list[str]:
    """Returns the command that joins the tables."""
    return [
        "pipeline.build_examples",
        *(f"--{name}={folder / name}" for name in ("items", "users")),
        *embeddings(folder),
        f"--events={folder / 'log'}",
        *("--labels=click,conversion", "--context=device", "--statistics=click,dwell"),
        "--behavior_type=conversion == 1",
        f"--output={folder / output}",
    ]


def train(folder: Path, model: str, module: str = "pipeline.train") -> list[str]:
    """Returns the command that trains a model into the folder of its name."""
    paths = [f"--examples={folder / 'examples'}", f"--model_dir={folder / 'models' / model}"]
    return [module, *paths, f"--set=model.name={model}", *SMALL, *embeddings(folder)]


def evaluate(folder: Path, model: str) -> list[str]:
    """Returns the command that scores the test split with a model."""
    paths = [f"--examples={folder / 'examples'}", f"--model_dir={folder / 'models' / model}"]
    return ["pipeline.evaluate", *paths]


def export(folder: Path, model: str) -> list[str]:
    """Returns the command that exports a model, with its vectors inside."""
    paths = [f"--examples={folder / 'examples'}", f"--model_dir={folder / 'models' / model}"]
    return ["pipeline.export", *paths, f"--export_dir={folder / 'serving' / model}"]
