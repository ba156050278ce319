"""Lists the jobs: `python -m pipeline`."""

import sys

from pipeline.runtime import job_list
from pipeline.runtime.entry_point import USER_ERROR_CODE


def main() -> None:
    """The command `dmf`."""
    if set(sys.argv[1:]) - {"--help", "-h"}:
        sys.stderr.write(
            "Error: give the job after a point: python -m pipeline.train. See --help.\n"
        )
        raise SystemExit(USER_ERROR_CODE)
    print(job_list.describe())


if __name__ == "__main__":
    main()
