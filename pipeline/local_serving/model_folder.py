"""A model's folder, opened for serving."""

import os
from collections.abc import Mapping

from features.errors import UserInputError
from pipeline.local_serving.served_model import ServedModel
from pipeline.local_serving.version_labels import is_number


def open_model(
    saved_model: str,
    model_name: str | None = None,
    versions: int = 2,
    labels: Mapping[str, int] | None = None,
) -> ServedModel:
    """Opens a model and loads its newest versions.

    Args:
      saved_model: the model's folder, where new versions are looked for, or the folder of the
        only version to serve.
      model_name: what clients call it; None for the name of the model's folder.
      versions: how many of the newest to serve.
      labels: version by label.

    Raises:
      UserInputError: there is nothing that can be served.
    """
    folder, only_version = os.path.abspath(saved_model), None
    if os.path.isfile(os.path.join(folder, "saved_model.pb")):
        folder, name = os.path.split(folder)
        only_version = {int(name) if is_number(name) else 1: os.path.join(folder, name)}
    model = ServedModel(
        model_name or os.path.basename(folder),
        lambda: only_version or version_folders(folder),
        versions,
        labels,
    )
    model.refresh()
    if not model.versions:
        errors = [f" Version {one.version}: {one.error}." for one in model.states() if one.error]
        raise UserInputError(
            f"--saved_model {saved_model!r} has nothing to serve: expected saved_model.pb in it, "
            f"or folders whose names are numbers and which have one; `python -m pipeline.export` "
            f"writes them.{''.join(errors)}"
        )
    return model


def version_folders(folder: str) -> dict[int, str]:
    """Returns the folders whose names are numbers, by number; none where the folder is gone."""
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    return {
        int(name): os.path.join(folder, name)
        for name in names
        if is_number(name) and os.path.isdir(os.path.join(folder, name))
    }
