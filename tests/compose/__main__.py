"""Brings all of it up in containers and plays the story on it: `python -m tests.compose`.

It needs a Docker engine and what `docker compose up` needs, takes two or three minutes, and is no
part of `make test`, which only reads the files. Options are pytest's.
"""

import sys
from pathlib import Path

import pytest

from tests.compose.running import compose_is_there
from tests.servers import docker_answers


def main() -> int:
    """Exit with pytest's code, or 2 where it cannot be run."""
    if not (compose_is_there() and docker_answers()):
        sys.stderr.write("there is no `docker compose` here, or no engine that answers\n")
        return 2
    return pytest.main([str(Path(__file__).with_name("whole.py")), "--durations=5", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
