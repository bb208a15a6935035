"""`docs/using.md` does what it says: all of its blocks, in order, on a system that is up."""

import os
import re
import subprocess
from pathlib import Path

from tests.end_to_end.running import ROOT, running

BLOCK = re.compile(r"^```sh( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_SECONDS = 240


def script() -> str:
    """Return all blocks; one that is to be refused must end with 1."""
    lines = ["set -euo pipefail"]
    for refused, block in BLOCK.findall((ROOT / "docs" / "using.md").read_text()):
        lines.append(f"echo {chr(39)}>>> {block.splitlines()[0].replace(chr(39), '')}{chr(39)}")
        if refused:
            lines += ["set +e", block, "test $? -eq 1 || exit 99", "set -e"]
        else:
            lines.append(block)
    return "\n".join(lines)


def test_every_block_does_what_the_text_says(tmp_path: Path) -> None:
    with running(tmp_path / "data") as system:
        environment = os.environ | {
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CERTFOLD_DATA": str(system.folder),
            "CHECKOUT": str(ROOT),
            "API": system.endpoints["api"],
            "TOKEN": system.endpoints["tokens"]["applicant"],
        }
        done = subprocess.run(
            ["bash", "-c", script()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    assert "installed" not in done.stderr
