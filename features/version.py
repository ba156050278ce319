"""The version of this project, written here alone.

`setup.py` reads it from this file's text, so it imports nothing and holds one assignment.
"""

VERSION = "0.1.0"
