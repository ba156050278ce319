"""An S3 server for tests: moto's, in a process of its own, on a free loopback port."""

import dataclasses
import sys
import uuid

import pytest

from tests import server_process

REGION = "us-east-1"


@dataclasses.dataclass(frozen=True)
class S3:
    """A running server.

    Attributes:
      endpoint: its URL; the environment of this process names it.
      client: boto3's, to look at what the code under test did.
    """

    endpoint: str
    client: object

    def bucket(self):
        """Returns the name of a new bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def objects(self, bucket, prefix=""):
        """Returns the content by key, without the empty objects that stand for folders."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return {
            key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
            if not key.endswith("/")
        }

    def upload(self, bucket, folder, prefix):
        """Puts a local folder's files into a bucket and returns its URI."""
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder)}"
                self.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        return f"s3://{bucket}/{prefix}"


@pytest.fixture(scope="session")
def s3():
    """The server, and an environment in which every AWS library finds it."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]
    with (
        server_process.running(lambda port: [*command, str(port)]) as (port, _),
        pytest.MonkeyPatch.context() as patch,
    ):
        endpoint = f"http://127.0.0.1:{port}"
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "dummy")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
        patch.setenv("NO_PROXY", "127.0.0.1")
        import boto3

        yield S3(endpoint, boto3.client("s3", region_name=REGION, endpoint_url=endpoint))
