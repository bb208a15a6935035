"""Runs the service: `python -m services.application`."""

from services.application.app import app
from shared.service import run

if __name__ == "__main__":  # worker processes import this module too
    run(app)
