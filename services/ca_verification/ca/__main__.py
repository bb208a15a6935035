"""Found the embedded CA.

    python -m services.ca_verification.ca init --folder DIR

Makes root and issuing CA in DIR once; run again, it finds that they are there and can be used.

    python -m services.ca_verification.ca crl --folder DIR

Signs the root's list of revoked CAs anew, for a year; to be done where the root's key is.
"""

import argparse
import os
import sys
from pathlib import Path

from cryptography import x509

from services.ca_verification.ca.authority import AuthorityRefusedError
from services.ca_verification.ca.founding import PKI_URL, FoundingRefusedError, found
from services.ca_verification.ca.root_list import renew
from shared.clock import utc_now

PASSPHRASE = "CERTFOLD_CA_VERIFICATION_CA_PASSPHRASE"  # noqa: S105 - the name of one
PKI = "CERTFOLD_CA_VERIFICATION_PKI_URL"
REASONS = ("ca_compromise", "superseded", "cessation_of_operation")


def main(arguments: list[str] | None = None) -> int:
    """Do as told by the command line: 0 done, 1 refused with the reason on stderr, 2 usage."""
    parser = argparse.ArgumentParser(prog="services.ca_verification.ca", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="make root and issuing CA")
    init.add_argument("--folder", type=Path, required=True, help="where the CA is kept")
    init.add_argument("--organisation", default="Certfold", help="who runs it")
    init.add_argument("--country", default="CN", help="where, ISO 3166-1 alpha-2")
    url = os.environ.get(PKI) or PKI_URL
    init.add_argument("--pki-url", default=url, help="where the root's list is found")
    crl = commands.add_parser("crl", help="sign the root's list anew")
    crl.add_argument("--folder", type=Path, required=True, help="where the CA is kept")
    crl.add_argument("--revoke-issuing", choices=REASONS, help="take the issuing CA back")
    chosen = parser.parse_args(arguments)
    passphrase = os.environ.get(PASSPHRASE, "")
    if not passphrase:
        return _refuse(f"{PASSPHRASE} is not set: the keys are kept under it")
    try:
        if chosen.command == "crl":
            reason = chosen.revoke_issuing
            revoke = x509.ReasonFlags[reason] if reason else None
            renew(chosen.folder, passphrase, utc_now(), revoke)
        else:
            who = chosen.organisation, chosen.country
            found(chosen.folder, passphrase, utc_now(), *who, pki_url=chosen.pki_url)
    except (AuthorityRefusedError, FoundingRefusedError) as refused:
        return _refuse(str(refused))
    return 0


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
