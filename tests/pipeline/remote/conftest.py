"""The same inputs and the examples joined from them, on the local disk and on S3."""

import pytest

from pipeline.join.job import build_examples
from tests.pipeline.remote import source


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A folder with `log`, `text`, `items`, and `examples` joined from them."""
    folder = tmp_path_factory.mktemp("local")
    source.write(folder / "source")
    build_examples(source.options(folder / "source", folder / "examples"))
    return folder


@pytest.fixture(scope="module")
def bucket(s3, local):
    """A bucket with `source/`."""
    bucket = s3.bucket()
    s3.upload(bucket, local / "source", "source")
    return bucket


@pytest.fixture(scope="module")
def joined(s3, local, bucket):
    """The URI of examples that were joined from S3 to S3."""
    build_examples(source.options(f"s3://{bucket}/source", f"s3://{bucket}/examples"))
    return f"s3://{bucket}/examples"
