"""Runs the combination service: `python -m services.combination`."""

from services.combination.app import app
from shared.service import run

run(app)
