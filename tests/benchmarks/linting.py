"""What the linter costs: the CA's rules on one certificate, by pkilint."""

import tempfile
import time
from pathlib import Path

from services.ca_verification.ca import lint
from services.ca_verification.ca.founding import found
from shared.clock import utc_now
from tests.benchmarks import floor, people
from tests.benchmarks.ground import SECRET, Tell
from tests.benchmarks.table import Finding, Section

NOTES = """\
The rules of the CA/Browser Forum on one OV certificate, in this process. The service does it in
worker processes of its own, outside of any transaction; lifecycles are measured without.
"""


def measure(certificates: int, rounds: int, tell: Tell) -> Section:
    """Lint specimens of new certificates."""
    with tempfile.TemporaryDirectory(prefix="certfold-bench-") as folder:
        authority = found(Path(folder, "ca"), SECRET, utc_now())
    specimens = [authority.prepare(floor.plan(one)) for one in people.orders(certificates)]
    lint.lint(specimens[0])  # brings the rules into memory
    each = []
    for _ in range(rounds):
        began = time.process_time()
        for one in specimens:
            lint.lint(one)
        each.append(1000 * (time.process_time() - began) / certificates)
    tell(f"lint: {each[-1]:.2f} ms")
    return Section("Lint", (Finding("CPU of linting one certificate", each, "ms"),), NOTES)
