"""What a command names has to exist: each kind of stale name is seen once."""

import pytest

from docs_build import code_blocks, command_checks, job_flags
from pipeline.runtime import job_list


@pytest.fixture(scope="module", autouse=True)
def all_flags():
    """Reads the flags of all jobs in one process."""
    job_flags.of_jobs([f"pipeline.{job}" for job in job_list.names()])


def problems(text, kind="sh"):
    page = f"# Title\n\n```{kind}\n{text}\n```\n"
    return command_checks.problems(code_blocks.blocks("docs/p.md", page))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("python -m pipeline.trains --x", "docs/p.md:4: there is no module pipeline.trains"),
        (
            "true\npython -m pipeline.train \\\n  --modeldir x",
            "docs/p.md:5: pipeline.train has no flag --modeldir",
        ),
        ("A=1 python3.11 -m pipeline.simulate --event=3", "pipeline.simulate has no flag --event"),
        ("for d in a; do python -m pipeline.train --nosuch; done", "has no flag --nosuch"),
        ("dmf-train --day=1", "pipeline.train has no flag --day"),
        ("python -m docs_build --fill", "docs_build has no flag --fill"),
        ("python -m benchmarks.join --evnts 5", "benchmarks.join has no flag --evnts"),
        # Beam's flags are taken by Beam's jobs only.
        ("python -m pipeline.build_examples --runners=x", "has no flag --runners"),
        ("python -m pipeline.train --runner=x", "pipeline.train has no flag --runner"),
        # Submission: its own flags before `--`, the job's behind it.
        ("python -m pipeline.submit --job train --examples x", "submit has no flag --examples"),
        ("python -m pipeline.submit --job train -- --cpus 3", "pipeline.train has no flag --cpus"),
        ("python -m pipeline.submit --set cpu=3", "cpu: Unexpected keyword argument"),
        # Settings.
        ("python -m pipeline.train --set model.head=2", "model.head: Unexpected keyword"),
        ("python -m pipeline.train --set=model.heads=-1", "model.heads: Input should be greater"),
        ("python -m pipeline.run --set join.label=a", "there is no setting join.label"),
        ("make tests", "there is no `make tests`"),
        ("sh docker/flink/job_srver.sh", "there is no docker/flink/job_srver.sh"),
        ("python -m pipeline.run --config=pipeline/configs/dmo.py", "no pipeline/configs/dmo.py"),
        ("python -m pytest tests/test_absent.py::test_x", "there is no tests/test_absent.py"),
        ("jupyter execute examples/absent.ipynb", "there is no examples/absent.ipynb"),
        ("echo 'open", "docs/p.md:4: cannot be read"),
    ],
)
def test_a_stale_name(text, problem):
    (found,) = problems(text)
    assert found.startswith("docs/p.md:")
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import os\nfrom models.absent import x", "docs/p.md:5: there is no module models.absent"),
        ("import features.absent", "there is no module features.absent"),
        ("x = ", "docs/p.md:4: cannot be read"),
    ],
)
def test_a_stale_name_in_python(text, problem):
    (found,) = problems(text, "python")
    assert problem in found


@pytest.mark.parametrize(
    "text",
    [
        "python -m pipeline.build_examples --events=x --runner=FlinkRunner --parallelism=2",
        "python -m pipeline.train --set model.heads=2 --set training.batches_of=requests --help",
        'python -m pipeline.train --set "model.name=$name" --model_dir "models/$day"',
        "python -m pipeline.models list --export_dir serving/dmf --noverify",
        "python -m pipeline.submit --job=train --target local --set cpus=4 -- --examples x",
        "python -m pipeline.run --set 'join.labels=(\"click\",)' --set data.source=x",
        "ls tests/a/b docs/x/",
        "python -m pipeline.JOB --help",
        "make demo DATA=folder && make test-slow PYTEST_ARGS='-x'",
        "docker build --file docker/worker/Dockerfile --tag dmf-worker .",
        "python -m pytest -q tests/test_words.py; pip install --upgrade pip",
        "ls examples/train models/dmf serving/dmf/1 build/docs",
        "cat <<EOF\npython -m pipeline.absent\nEOF",
    ],
)
def test_what_exists_passes(text):
    assert problems(text) == []
