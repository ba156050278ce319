"""Files and folders, local or remote: storage, manifests, versions, local copies."""
