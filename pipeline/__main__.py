"""Lists the jobs: `python -m pipeline`."""

import sys

from pipeline.runtime import exit_codes, job_list


def main() -> None:
    """The command `dmf`."""
    if set(sys.argv[1:]) - {"--help", "-h"}:
        sys.stderr.write(
            "Error: give the job after a point: python -m pipeline.train. See --help.\n"
        )
        raise SystemExit(exit_codes.USER_ERROR)
    print(job_list.describe())


if __name__ == "__main__":
    main()
