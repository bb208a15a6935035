"""What the application service answers over HTTP: applications, certificates, downloads."""

from fastapi import FastAPI

from services.application.api import applications, bundles, certificates, changes, hosts
from shared.api import make_api
from shared.service import Parts


def api(parts: Parts) -> FastAPI:
    """Serve applicants, and who may look over their shoulders."""
    app = make_api(parts, "Application")
    for part in (applications, changes, certificates, bundles, hosts):
        part.serve(app, parts)
    return app
