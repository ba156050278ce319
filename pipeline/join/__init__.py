"""The join: from a behavior log and embedding sets to training records."""
