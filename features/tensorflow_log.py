"""Hides what TensorFlow logs while it starts, in jobs and in programs that import this project.

TensorFlow reads its log level when it is imported: `TF_CPP_MIN_LOG_LEVEL` of the environment counts
where it is set, and nothing changes in a process that has imported TensorFlow before. TensorFlow
2.21 logs some lines of its start whatever the level.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
