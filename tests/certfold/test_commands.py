"""The commands on top of the client: what they write, and how they end."""

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from starlette.responses import Response

from certfold.client import Download
from certfold.commands_certificates import unpack
from certfold.show import text
from tests.certfold.api import ID, LINES, OBJECTIONS, Api, certfold


@pytest.mark.parametrize(
    "words",
    [
        ("quota",),
        ("instances", "--status", "issued"),
        ("combinations", "--status", "refused"),
        ("applications",),
        ("tasks",),
        ("certificates", "--q", "a.example"),
        ("token", "list"),
        ("parked", "list"),
    ],
)
def test_lists_are_arrays_in_json_and_nothing_in_a_pipe(api: Api, words: tuple[str, ...]) -> None:
    assert certfold(*words, "--json").stdout == "[]\n"
    assert certfold(*words).stdout == ""
    assert api.asked


@pytest.mark.parametrize(
    ("words", "login"),
    [
        (("quota",), "applicant"),
        (("quota", "--as", "other_applicant"), "other_applicant"),
        (("tasks",), "officer"),
        (("parked", "list", "--service", "inventory"), "operator"),
        (("token", "list"), "operator"),
    ],
)
def test_each_verb_knows_whose_it_is(api: Api, words: tuple[str, ...], login: str) -> None:
    assert certfold(*words).exit_code == 0
    assert api.asked[-1].headers["authorization"] == f"Bearer token-{login}"


def test_a_token_in_the_environment_is_taken_instead(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTFOLD_TOKEN", "mine")

    assert certfold("quota").exit_code == 0
    assert api.asked[-1].headers["authorization"] == "Bearer mine"


def test_refusals_are_lines_on_stderr_and_exit_1(api: Api) -> None:
    api.will("POST /combinations", {"status": "refused", "objections": OBJECTIONS})

    ended = certfold("combine", ID, "b", "--accept-no-refund", "--json")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == LINES
    assert api.bodies == [{"instance_ids": [ID, "b"], "refund_waiver_acknowledged": True}]


def test_a_preview_shows_all_and_tells_by_its_exit_code(api: Api) -> None:
    names = {"single": 2, "wildcard": 1, "ip": 0}
    api.will("POST /combinations/preview", {"allowed": True, "objections": [], "names": names})
    fine = certfold("combine", "a", "b", "--preview")
    api.will("POST /combinations/preview", {"allowed": False, "objections": OBJECTIONS})
    not_so = certfold("combine", "a", "b", "--preview", "--json")

    assert fine.exit_code == 0
    assert "names\t2 single, 1 wildcard\n" in fine.stdout
    assert not_so.exit_code == 1
    assert json.loads(not_so.stdout)["objections"] == OBJECTIONS
    assert not_so.stderr.splitlines() == LINES


def test_applying_joins_the_form_and_the_names(api: Api, tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    form.write_text(json.dumps({"names": ["a.example"], "key_algorithm": "P-256"}))
    api.will("POST /applications", {"application_id": ID, "status": "submitted"}, status=202)

    ended = certfold("apply", "--instance", "i", "--name", "*.b.example", "--from", str(form))

    assert ended.exit_code == 0
    assert api.bodies == [
        {"names": ["a.example", "*.b.example"], "key_algorithm": "P-256", "instance_id": "i"}
    ]


def test_watching_tells_what_waits_on_whom_until_it_ends(api: Api) -> None:
    waiting = {
        "item": "a.example",
        "party": "dns",
        "reason": "there is no TXT record",
        "next_action": "add it",
    }
    pending = {"status": "pending_validation", "overdue": True, "waiting_on": [waiting]}
    issued = {"status": "issued", "overdue": False, "waiting_on": [], "certificate_id": ID}
    api.will(f"GET /applications/{ID}", pending, pending, issued)

    ended = certfold("watch", ID)

    assert ended.exit_code == 0
    told = ended.stdout.splitlines()
    assert told[0].endswith("  pending_validation  overdue")
    assert told[1].strip() == "waits on dns for a.example: there is no TXT record: add it"
    assert told[-1] == f"certificate {ID}"
    assert len(told) == 4


def test_watching_what_fails_tells_every_reason(api: Api) -> None:
    failed = {
        "status": "validation_failed",
        "overdue": False,
        "waiting_on": [],
        "objections": OBJECTIONS,
    }
    api.will(f"GET /applications/{ID}", failed)

    ended = certfold("watch", ID, "--json")

    assert ended.exit_code == 1
    assert json.loads(ended.stdout) == failed
    assert ended.stderr.splitlines()[-2:] == LINES


def test_watching_ends_when_the_time_is_over(api: Api) -> None:
    pending = {"status": "under_review", "overdue": False, "waiting_on": []}
    api.will(f"GET /applications/{ID}", pending)

    ended = certfold("watch", ID, "--timeout", "0.05")

    assert ended.exit_code == 1
    assert "is still under_review" in ended.stderr


def test_deciding_finds_whose_task_it_is(api: Api) -> None:
    tasks = {"items": [{"task_id": ID, "role": "reviewer"}], "next_cursor": None}
    api.will("GET /verification/tasks", tasks)
    api.will(f"POST /verification/tasks/{ID}/decision", {"task_id": ID, "status": "confirmed"})

    ended = certfold("decide", ID, "confirm", "--note", "seen")

    assert ended.exit_code == 0
    assert api.asked[-1].headers["authorization"] == "Bearer token-reviewer"
    assert api.bodies[-1] == {"decision": "confirm", "note": "seen", "evidence": ""}


def zipped(**files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return written.getvalue()


def test_a_bundle_is_unpacked_for_its_owner_only(api: Api, tmp_path: Path) -> None:
    content = zipped(fullchain_pem=b"chain", privkey_pem=b"key")
    api.will(f"GET /certificates/{ID}/download", Response(content, media_type="application/zip"))

    ended = certfold("download", ID, "--format", "nginx", "-o", str(tmp_path / "new"), "--json")

    assert ended.exit_code == 0
    assert [Path(one).name for one in json.loads(ended.stdout)] == ["fullchain.pem", "privkey.pem"]
    key = tmp_path / "new" / "privkey.pem"
    assert key.read_bytes() == b"key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert api.asked[-1].query_params["format"] == "nginx"


def test_a_bundle_writes_nothing_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../out.pem", "x")
        archive.writestr("/etc/out.pem", "x")

    list(unpack(Download("x.zip", evil.getvalue(), is_zip=True), folder))

    assert {path.name for path in tmp_path.rglob("*")} == {"in", "out.pem"}
    assert (folder / "out.pem").exists()


def test_parked_messages_are_found_in_whichever_service_has_them(api: Api) -> None:
    message = {"id": ID, "topic": "t", "partition": 0, "offset": 5, "error_class": "E"}
    message |= {"error_message": "m", "headers": [["ce_id", "1"]], "value": "\x1b]0;x\x07"}
    api.will("GET /services/combination/parked", {"items": [message], "next_cursor": None})
    api.will(f"POST /services/combination/parked/{ID}/replay", Response(status_code=204))
    api.will(f"DELETE /services/combination/parked/{ID}", Response(status_code=204))

    listed = certfold("parked", "list", "--json")
    shown = certfold("parked", "show", ID)
    replayed = certfold("parked", "replay", ID)
    discarded = certfold("parked", "discard", ID, "--service", "combination")
    nowhere = certfold("parked", "discard", ID, "--service", "inventory")

    assert [one["service"] for one in json.loads(listed.stdout)] == ["combination"]
    assert "\\x1b]0;x\\x07" in shown.stdout
    assert (replayed.exit_code, discarded.exit_code, nowhere.exit_code) == (0, 0, 1)


def test_a_new_token_is_told_to_who_asked(api: Api) -> None:
    api.will("POST /tokens", {"token_id": ID, "token": "certfold_secret"}, status=201)
    api.will(f"DELETE /tokens/{ID}", Response(status_code=204))

    made = certfold("token", "create", "bob", "--role", "applicant", "--account", "acme")
    revoked = certfold("token", "revoke", ID)

    assert "token\tcertfold_secret\n" in made.stdout
    assert api.bodies[0] == {"name": "bob", "role": "applicant", "account_id": "acme"}
    assert revoked.exit_code == 0


def test_status_tells_who_waits_for_what(api: Api) -> None:
    api.will("GET /readyz", {"ready": True, "waits_for": {}})
    api.will("GET /x/readyz", {"ready": False, "waits_for": {"kafka": "away"}}, status=503)

    ended = certfold("status", "--json")

    assert ended.exit_code == 1
    assert json.loads(ended.stdout) == [
        {"service": "console", "state": "waiting", "waits_for": {"kafka": "away"}},
        {"service": "inventory", "state": "ready", "waits_for": {}},
    ]


def test_every_setting_of_every_service_is_listed() -> None:
    listed = json.loads(certfold("settings", "--json").stdout)
    known = {one["name"]: one for one in listed}

    assert all(one["description"] for one in listed)
    assert all(name.startswith("CERTFOLD_") for name in known)
    assert known["CERTFOLD_CONSOLE_INVENTORY_URL"]["required"]
    assert known["CERTFOLD_INVENTORY_HOST"]["default"] == "127.0.0.1"
    for name in ("CERTFOLD_DATA", "CERTFOLD_ENDPOINTS", "CERTFOLD_PORT_KAFKA"):
        assert not known[name]["required"]


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("create",),
        ("combine",),
        ("decide", ID, "perhaps"),
        ("download", ID, "--format", "floppy"),
        ("apply", "--instance", "i", "--from", "/nowhere.json"),
        ("quota", "--as", "nobody"),
    ],
)
def test_a_wrong_command_line_is_exit_2(api: Api, words: tuple[str, ...]) -> None:
    assert certfold(*words).exit_code == 2
    assert not api.asked


def test_where_nothing_runs_is_exit_3(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTFOLD_ENDPOINTS", str(tmp_path / "none.json"))
    for words in (("quota",), ("status",)):
        ended = certfold(*words)
        assert ended.exit_code == 3
        assert "is the system up" in ended.stderr

    dead = tmp_path / "dead.json"
    dead.write_text(json.dumps({"api": "http://127.0.0.1:1/api/v1", "tokens": {"applicant": "t"}}))
    monkeypatch.setenv("CERTFOLD_ENDPOINTS", str(dead))
    assert certfold("quota").exit_code == 3


def test_nothing_that_is_shown_moves_the_terminal() -> None:
    assert text("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb\\nc\\u202ed"
    assert text({"single": 0, "wildcard": 0, "ip": 0}) == "0"
    assert text("2026-11-23T04:00:00.123456Z") == "2026-11-23T04:00:00Z"
    assert text([True, None, "x"]) == "yes, , x"
