"""The sandbox's name server, as resolvers and the makers of dynamic updates see it."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.update
import pytest
from dns.rcode import Rcode

from certfold.embedded import ports
from certfold.sandbox.dns import HOST, respond, serve
from certfold.sandbox.hosts import Hosts
from certfold.sandbox.records import Records, zone_of

PROGRAMS = ("dns.update", *(("nsupdate",) if shutil.which("nsupdate") else ()))
LONG = " ".join(f'"{letter * 200}"' for letter in "abc")


class Client:
    def __init__(self, port: int) -> None:
        self.port = port
        self.resolver = dns.asyncresolver.Resolver(configure=False)
        self.resolver.nameservers, self.resolver.port = [HOST], port

    async def ask(self, name: str, kind: str, **options: Any) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **options)
        return await dns.asyncquery.udp(query, HOST, port=self.port, timeout=2)

    async def texts(self, name: str, kind: str = "TXT") -> list[str]:
        reply = await self.ask(name, kind, use_edns=0, payload=4096)
        return sorted(rdata.to_text() for one in reply.answer for rdata in one)

    async def change(self, zone: str, *orders: tuple[object, ...]) -> Rcode:
        update = dns.update.UpdateMessage(zone)
        for verb, *what in orders:
            getattr(update, str(verb))(*what)
        reply = await dns.asyncquery.tcp(update, HOST, port=self.port, timeout=2)
        return reply.rcode()

    def nsupdate(self, *lines: str) -> None:
        script = "\n".join([f"server {HOST} {self.port}", *lines, "send", ""])
        done = subprocess.run(["nsupdate", "-v"], input=script, text=True, capture_output=True)  # noqa: PLW1510
        assert (done.returncode, done.stderr) == (0, "")


@asynccontextmanager
async def running(file: Path, hosts: Path | None = None) -> AsyncIterator[Client]:
    records = Records(file, Hosts(hosts or file.parent))
    with ports.reserved(file.with_suffix(".ports"), {"dns": ports.ANY}) as chosen:
        serving = asyncio.ensure_future(serve(records, chosen["dns"]))
        await asyncio.sleep(0.05)
        yield Client(chosen["dns"])
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path / "dns.zone") as client:
        yield client


async def test_what_was_added_is_answered_with_authority(client: Client) -> None:
    await client.change("shop.example", ("add", "www", 60, "A", "192.0.2.1"))

    reply = await client.ask("WWW.shop.example", "A")

    assert reply.flags & dns.flags.AA
    assert [one.to_text() for one in reply.answer] == ["WWW.shop.example. 60 IN A 192.0.2.1"]


async def test_missing_name_and_missing_type_are_told_apart(client: Client) -> None:
    await client.change("shop.example", ("add", "a.b", 60, "A", "192.0.2.1"))

    async def outcome(name: str, kind: str) -> tuple[str, list[str]]:
        reply = await client.ask(name, kind)
        return reply.rcode().name, [str(one.name) for one in reply.authority]

    assert await outcome("c.shop.example", "A") == ("NXDOMAIN", ["shop.example."])
    assert await outcome("a.b.shop.example", "CAA") == ("NOERROR", ["shop.example."])
    assert await outcome("b.shop.example", "A") == ("NOERROR", ["shop.example."])
    assert await outcome("shop.example", "A") == ("NOERROR", ["shop.example."])
    assert await outcome("example", "CAA") == ("NOERROR", ["example."])


async def test_zone_of_any_name_can_be_found(client: Client) -> None:
    found = await dns.asyncresolver.zone_for_name("a.b.shop.co.uk", resolver=client.resolver)
    assert str(found) == "shop.co.uk."
    assert str(zone_of(dns.name.from_text("co.uk"))) == "co.uk."
    assert str(zone_of(dns.name.root)) == "."


@pytest.mark.parametrize("program", PROGRAMS)
async def test_records_are_added_and_deleted_one_by_one(client: Client, program: str) -> None:
    name = "_acme-challenge.www.shop.example."

    async def change(zone: str, verb: str, *what: object) -> None:
        if program == "nsupdate":
            words = " ".join(map(str, what))
            lines = (f"zone {zone}", f"update {verb} {name} {words}")
            await asyncio.to_thread(client.nsupdate, *lines)
        else:
            assert await client.change(zone, (verb, name, *what)) == Rcode.NOERROR

    await change("shop.example", "add", 60, "TXT", "one")
    await change("example", "add", 60, "TXT", "two")
    both = await client.texts(name)
    await change("shop.example", "delete", "TXT", "one")
    one = await client.texts(name)
    await change("shop.example", "delete")

    assert (both, one) == (['"one"', '"two"'], ['"two"'])
    assert (await client.ask(name, "TXT")).rcode() == Rcode.NXDOMAIN


async def test_changes_are_made_in_the_order_in_which_they_are_asked(client: Client) -> None:
    await client.change(
        "shop.example",
        ("add", "@", 60, "TXT", "old"),
        ("delete", "@", "TXT"),
        ("add", "@", 60, "TXT", "new"),
    )
    assert await client.texts("shop.example") == ['"new"']


@pytest.mark.parametrize(
    ("prerequisite", "rcode"),
    [
        (("present", "www"), Rcode.NOERROR),
        (("present", "www", "A"), Rcode.NOERROR),
        (("present", "www", "A", "192.0.2.1"), Rcode.NOERROR),
        (("absent", "new"), Rcode.NOERROR),
        (("absent", "www", "MX"), Rcode.NOERROR),
        (("present", "new"), Rcode.NXDOMAIN),
        (("present", "www", "MX"), Rcode.NXRRSET),
        (("present", "www", "A", "192.0.2.2"), Rcode.NXRRSET),
        (("absent", "www"), Rcode.YXDOMAIN),
        (("absent", "www", "A"), Rcode.YXRRSET),
        (("add", "www.elsewhere.example.", 60, "A", "192.0.2.3"), Rcode.NOTZONE),
    ],
)
async def test_update_is_made_wholly_or_refused_with_its_code(
    client: Client, prerequisite: tuple[object, ...], rcode: Rcode
) -> None:
    await client.change("shop.example", ("add", "www", 60, "A", "192.0.2.1"))

    said = await client.change("shop.example", ("add", "@", 60, "TXT", "done"), prerequisite)

    assert said == rcode
    assert await client.texts("shop.example") == (['"done"'] if rcode == Rcode.NOERROR else [])


async def test_aliases_are_followed_and_wildcards_apply(client: Client) -> None:
    await client.change(
        "shop.example",
        ("add", "*.pages", 60, "A", "192.0.2.9"),
        ("add", "www", 60, "CNAME", "blog.pages"),
        ("add", "www", 60, "TXT", "ignored"),
        ("add", "round", 60, "CNAME", "round"),
    )
    assert await client.texts("www.shop.example", "A") == ["192.0.2.9", "blog.pages.shop.example."]
    assert (await client.ask("round.shop.example", "A")).rcode() == Rcode.SERVFAIL


async def test_host_that_has_files_is_on_loopback_unless_an_update_says_otherwise(
    client: Client, tmp_path: Path
) -> None:
    async def address(host: str) -> list[str]:
        return await client.texts(f"{host}.shop.example", "A")

    before = await client.ask("www.shop.example", "A")
    for folder in ("www/www", "tls/mail", "www/blog", "www/.hidden"):
        (tmp_path / f"{folder}.shop.example").mkdir(parents=True)
    hosts = [await address(host) for host in ("www", "mail", "blog")]
    await client.change(
        "shop.example",
        ("add", "www", 60, "TXT", "beside it"),
        ("add", "mail", 60, "A", "192.0.2.1"),
        ("add", "blog", 60, "CNAME", "elsewhere"),
        ("add", "elsewhere", 60, "AAAA", "2001:db8::1"),
    )

    assert before.rcode() == Rcode.NXDOMAIN
    assert hosts == [["127.0.0.1"]] * 3
    assert await address("www") == ["127.0.0.1"]
    assert await address("mail") == ["192.0.2.1"]
    assert await address("blog") == ["elsewhere.shop.example."]
    assert (await client.ask("www.shop.example", "AAAA")).rcode() == Rcode.NOERROR

    await client.change("shop.example", ("delete", "mail"))
    assert await address("mail") == ["127.0.0.1"]


def test_who_asks_from_another_network_namespace_is_told_another_address_than_its_loopback(
    tmp_path: Path,
) -> None:
    (tmp_path / "www" / "www.shop.example").mkdir(parents=True)
    records = Records(tmp_path / "zone", Hosts(tmp_path))
    update = dns.update.UpdateMessage("shop.example")
    update.add("away", 60, "A", "192.0.2.1")
    update.add("near", 60, "A", "127.1.2.3")
    respond(records, update.to_wire())

    def addresses(host: str, loopback: str) -> list[str]:
        asked = dns.message.make_query(f"{host}.shop.example", "A").to_wire()
        reply = respond(records, asked, loopback=loopback)
        assert reply is not None
        return [str(one) for found in dns.message.from_wire(reply).answer for one in found]

    seen = {host: addresses(host, "198.51.100.7") for host in ("www", "away", "near")}
    assert seen == {"www": ["198.51.100.7"], "away": ["192.0.2.1"], "near": ["198.51.100.7"]}
    assert addresses("www", HOST) == ["127.0.0.1"]


async def test_update_may_demand_what_a_host_shows(client: Client, tmp_path: Path) -> None:
    (tmp_path / "www" / "www.shop.example").mkdir(parents=True)

    async def demand(*what: str) -> Rcode:
        return await client.change("shop.example", what)

    assert await demand("present", "www", "A", "127.0.0.1") == Rcode.NOERROR
    assert await demand("absent", "www") == Rcode.YXDOMAIN


async def test_long_answer_is_cut_over_udp_and_whole_over_tcp(client: Client) -> None:
    await client.change("shop.example", ("add", "@", 60, "TXT", LONG))

    cut = await client.ask("shop.example", "TXT")
    large = await client.ask("shop.example", "TXT", use_edns=0, payload=4096)
    resolved = await client.resolver.resolve("shop.example", "TXT")

    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert not large.flags & dns.flags.TC
    assert large.edns == 0
    assert len(b"".join(resolved[0].strings)) == 600


async def test_records_outlive_the_server_and_the_serial_rises(tmp_path: Path) -> None:
    file = tmp_path / "dns.zone"
    async with running(file) as client:
        await client.change("shop.example", ("add", "@", 60, "TXT", LONG))
        before = await client.texts("shop.example", "SOA")
    async with running(file) as client:
        assert await client.texts("shop.example") == [LONG]
        await client.change("shop.example", ("replace", "@", 60, "TXT", "short"))
        assert await client.texts("shop.example") == ['"short"']
        assert await client.texts("shop.example", "SOA") > before


def test_rubbish_is_answered_with_a_format_error_or_not_at_all(tmp_path: Path) -> None:
    records = Records(tmp_path / "dns.zone")
    query = dns.message.make_query("shop.example", "A")
    newer = dns.message.make_query("shop.example", "A", use_edns=1)

    def rcode(wire: bytes) -> Rcode | None:
        reply = respond(records, wire)
        return dns.message.from_wire(reply).rcode() if reply else None

    assert rcode(b"x") is None
    assert rcode(query.to_wire()[:-1]) == Rcode.FORMERR
    assert rcode(dns.message.make_response(query).to_wire()) is None
    assert rcode(newer.to_wire()) == Rcode.BADVERS
