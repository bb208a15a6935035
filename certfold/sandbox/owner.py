"""The owner of domains and servers: proves names in the DNS, installs certificates."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import dns.asyncquery
import dns.rcode
import dns.update
from publicsuffixlist import PublicSuffixList

PATIENCE_SECONDS = 5


class RecordRefusedError(Exception):
    """The name server did not take a record; the message says which, and what it answered."""


async def publish_record(name_server: str, challenge: Mapping[str, str]) -> None:
    """Do what a domain owner does: put the record into the DNS (RFC 2136)."""
    host, _, port = name_server.partition(":")
    name = challenge["record_name"]
    zone = PublicSuffixList().privatesuffix(name)
    update = dns.update.UpdateMessage(zone)
    update.replace(
        dns.name.from_text(name), 60, challenge["record_type"], f'"{challenge["record_value"]}"'
    )
    reply = await dns.asyncquery.tcp(update, host, port=int(port), timeout=PATIENCE_SECONDS)
    if reply.rcode() != dns.rcode.NOERROR:
        raise RecordRefusedError(
            f"the name server refused {name}: {dns.rcode.to_text(reply.rcode())}"
        )


def install(files: Path, host: str, bundle: bytes) -> None:
    """Do what a server's administrator does: put a bundle for nginx where the server looks."""
    folder = files / "tls" / host
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for name, ending in (("privkey.pem", ".key"), ("fullchain.pem", ".fullchain.pem")):
            [member] = [one for one in archive.namelist() if one.endswith(ending)]
            aside = folder / f".{name}"
            aside.write_bytes(archive.read(member))
            aside.chmod(0o600)
            aside.rename(folder / name)
