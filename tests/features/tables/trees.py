"""Folders of files for tests of what a location means."""

from features.files import storage


def write(root, *names, content=b"1"):
    """Writes files of one content below a folder."""
    for name in names:
        storage.write_bytes(storage.join(root, name), content)


def names(listing):
    """Returns the names of what was found."""
    return [file.name for file in listing.files]


def reasons(listing, root):
    """Returns the reasons by the name of what was passed over."""
    return {path[len(root) + 1 :]: reason for path, reason in listing.passed_over}
