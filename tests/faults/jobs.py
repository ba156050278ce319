"""Each job that writes, on inputs that are small enough to run it many times."""

from collections.abc import Sequence
from pathlib import Path

from tests import quick_python

_SMALL = (
    "--set=model.hidden=(8,)",
    "--set=model.embedding_width=4",
    "--set=model.head_width=4",
    "--set=training.epochs=1",
    "--set=training.batch_candidates=256",
)
_FILMS = "movieId,title,genres\n" + "".join(f"{n},A film ({n}),Comedy\n" for n in range(1, 900))

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "simulate": (
        *("--events=3000", "--users=60", "--items=300", "--candidates=4"),
        *("--modalities=text:8", "--output={output}"),
    ),
    "convert": ("--dataset=movielens", "--input={world}/films", "--output={output}"),
    "inspect_data": (
        *("--events={market}/impressions", "--embeddings=text={market}/embeddings/text"),
        *("--timestamp_unit=ms", "--output={output}"),
    ),
    "ingest_embeddings": (
        *("--vectors={market}/embeddings/text", "--encoder=e", "--encoder_version=1"),
        *("--available_at_unit=us", "--output={output}"),
    ),
    "build_examples": (
        *("--events={market}/impressions", "--embeddings=text={market}/embeddings/text"),
        *("--timestamp_unit=ms", "--history_length=10", "--partitions=2", "--output={output}"),
    ),
    "build_vocabulary": ("--examples={world}/examples", "--output={output}"),
    # Of the model that is traced most quickly: the faults are the same whatever the model.
    "train": (
        *("--examples={world}/examples", "--model_dir={output}", "--set=model.name=id_only"),
        *_SMALL,
    ),
    "evaluate": (
        *("--examples={world}/examples", "--model_dir={world}/model"),
        "--output={output}/metrics.json",
    ),
    "export": (
        *("--model_dir={world}/model", "--examples={world}/examples"),
        *("--embeddings=text={market}/embeddings/text", "--export_dir={output}"),
    ),
    "check_skew": (
        *("--saved_model={world}/serving/1", "--examples={world}/examples"),
        *("--records=20", "--output={output}/skew.json"),
    ),
    "backfill": (
        *("--saved_model={world}/serving/1", "--items={market}/items", "--output={output}"),
    ),
}
"""The arguments of a job, with the places that `command` fills in."""

_MADE = (("simulate", "market"), ("build_examples", "examples"), ("train", "model"))


def arguments(job: str, world: Path, output: Path) -> list[str]:
    """Returns the arguments of a job that reads a world and writes to an output."""
    places = {"world": world, "market": world / "market", "output": output}
    return [one.format(**places) for one in ARGUMENTS[job]]


def run(job: str, world: Path, output: Path, **options):
    """Runs a job to its end."""
    return quick_python.run_job(f"pipeline.{job}", *arguments(job, world, output), **options)


def make_world(folder: Path, jobs: Sequence[tuple[str, str]] = (*_MADE, ("export", "serving"))):
    """Writes what the jobs read: a market, its examples, a model and its export."""
    (folder / "films").mkdir()
    (folder / "films" / "movies.csv").write_text(_FILMS)
    ratings = "".join(f"{n % 50},{n % 899 + 1},4.0,{900000000 + n}\n" for n in range(20_000))
    (folder / "films" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + ratings)
    for job, name in jobs:
        given = arguments(job, folder, folder / name)
        if job == "train":
            given.append("--set=model.name=dmf")  # Whose export has every signature.
        done = quick_python.run_job(f"pipeline.{job}", *given)
        assert done.returncode == 0, done.stderr
