"""Writes the published contract to `docs/`; with `--check` only compares: exit 1 if it differs."""

import argparse
import sys

from certfold import contract

DIFFERS = 1


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m certfold.contract", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    only_check: bool = parser.parse_args().check
    names = contract.differing(contract.documents()) if only_check else contract.write()
    for name in names:
        sys.stdout.write(f"docs/{name} {'differs from the code' if only_check else 'written'}\n")
    return DIFFERS if only_check and names else 0


sys.exit(main())
