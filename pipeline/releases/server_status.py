"""The state of a version on a TF Serving server."""

import json
import urllib.error
import urllib.request

from features.errors import UserInputError

_SECONDS = 10
AVAILABLE = "AVAILABLE"


def require_available(server: str, model: str, version: int) -> None:
    """Raises an error unless a server has loaded a version.

    Args:
      server: host and REST port, `localhost:8501`.
      model: its name on the server.
      version: its number.

    Raises:
      UserInputError: the server does not answer, or has not loaded the version.
    """
    url = f"http://{server}/v1/models/{model}/versions/{version}"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            statuses = json.load(answer)["model_version_status"]
    except urllib.error.HTTPError as error:
        statuses = [{"state": f"unknown there (HTTP {error.code})"}]
    except (OSError, ValueError, KeyError) as error:
        raise UserInputError(
            f"--server {server}: {url} does not answer: {error}. Give host and REST port of a "
            "running TF Serving, localhost:8501."
        ) from error
    states = [status["state"] for status in statuses]
    if states != [AVAILABLE]:
        raise UserInputError(
            f"--server {server}: version {version} is {', '.join(states)}, not {AVAILABLE}. "
            "Promote it without --label, wait, and give the label again."
        )
