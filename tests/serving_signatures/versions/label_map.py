"""How TensorFlow Serving applies a model configuration, as its `ServerCore::ReloadConfig` does."""


class LabelMap:
    """Started with `--allow_version_labels_for_unavailable_models`.

    Labels come first: one that is in use may move to a loaded version only, else the whole
    configuration is refused. Then the versions are loaded and unloaded.
    """

    def __init__(self):
        self.labels = {}
        self.loaded = set()

    def reload(self, model):
        for label, version in model.version_labels.items():
            moved = self.labels.get(label, version) != version
            if moved and version not in self.loaded:
                raise RuntimeError(
                    f"Request to assign label to version {version} of model {model.name}, which "
                    "is not currently available for inference"
                )
        self.labels = dict(model.version_labels)
        self.loaded = set(model.model_version_policy.specific.versions)
