"""Runs the console: `python -m services.console`."""

from services.console.app import app
from shared.service import run

run(app)
