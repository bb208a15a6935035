"""Runs the inventory: `python -m services.inventory`."""

from services.inventory.app import app
from shared.service import run

run(app)
