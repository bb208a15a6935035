"""What the inventory answers over HTTP: quota, instances, and whether they may be combined."""

from fastapi import FastAPI

from services.inventory.api import accounts, changes, combining, instances, quota
from shared.api import make_api
from shared.service import Parts


def api(parts: Parts) -> FastAPI:
    """Serve quota, instances and previews."""
    app = make_api(parts, "Inventory")
    for part in (quota, instances, changes, accounts, combining):
        part.serve(app, parts)
    return app
