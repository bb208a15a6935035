"""Docker's command line reads the compose file, without an engine; elsewhere that is not tested."""

from tests.compose.running import compose_is_there

collect_ignore = [] if compose_is_there() else ["test_file.py"]
