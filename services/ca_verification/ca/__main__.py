"""Found the embedded CA.

    python -m services.ca_verification.ca init --folder DIR

Makes root and issuing CA in DIR once; run again, it finds that they are there and can be used.
"""

import argparse
import os
import sys
from pathlib import Path

from services.ca_verification.ca.authority import AuthorityRefusedError
from services.ca_verification.ca.founding import FoundingRefusedError, found
from shared.clock import utc_now

PASSPHRASE = "CERTFOLD_CA_VERIFICATION_CA_PASSPHRASE"  # noqa: S105 - the name of one


def main(arguments: list[str] | None = None) -> int:
    """Do as told by the command line: 0 done, 1 refused with the reason on stderr, 2 usage."""
    parser = argparse.ArgumentParser(prog="services.ca_verification.ca", description=__doc__)
    init = parser.add_subparsers(required=True).add_parser("init", help="make root and issuing CA")
    init.add_argument("--folder", type=Path, required=True, help="where the CA is kept")
    init.add_argument("--organisation", default="Certfold", help="who runs it")
    init.add_argument("--country", default="CN", help="where, ISO 3166-1 alpha-2")
    chosen = parser.parse_args(arguments)
    passphrase = os.environ.get(PASSPHRASE, "")
    if not passphrase:
        return _refuse(f"{PASSPHRASE} is not set: the keys are kept under it")
    try:
        found(chosen.folder, passphrase, utc_now(), chosen.organisation, chosen.country)
    except (AuthorityRefusedError, FoundingRefusedError) as refused:
        return _refuse(str(refused))
    return 0


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
