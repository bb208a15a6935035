"""An API of its own for each test that asks one."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from certfold import calling, client
from tests.certfold.api import Api, Server


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", api.answer, methods=methods)])
    server = Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    api.url = f"http://127.0.0.1:{port}/api/v1"
    file = tmp_path / "endpoints.json"
    logins = ("applicant", "other_applicant", "officer", "reviewer", "operator")
    tokens = {name: f"token-{name}" for name in logins}
    health = {"inventory": f"http://127.0.0.1:{port}", "console": f"http://127.0.0.1:{port}/x"}
    file.write_text(json.dumps({"api": api.url, "tokens": tokens, "health": health}))
    monkeypatch.setenv("CERTFOLD_ENDPOINTS", str(file))
    monkeypatch.delenv("CERTFOLD_TOKEN", raising=False)
    monkeypatch.setattr(calling, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(client, "LOOK_AGAIN_SECONDS", 0.01)
    yield api
    server.should_exit = True
    thread.join()
