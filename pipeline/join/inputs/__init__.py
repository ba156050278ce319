"""The log: opened, validated, quarantined."""
