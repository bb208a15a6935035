"""Names for certificates: how they are written, and which may be certified at all.

Whoever asks for a certificate is told every objection to every name at once. Three kinds of names
are never mixed: single (`www.example.com`), wildcard (`*.example.com`) and ip.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

import idna
from publicsuffixlist import PublicSuffixList

from shared.contracts.application import CertificateKind
from shared.contracts.base import Objection

LONGEST_NAME = 253  # octets, without the root's dot (RFC 1035 §2.3.4)
LONGEST_LABEL = 63
LONGEST_TEXT = 1024  # of what is worth translating; Unicode never shrinks below a quarter
KNOWN = 4096  # names that need not be read again: each comes several times on its way
WILDCARD = "*."
SPECIAL_USE = frozenset(
    {
        *("example", "invalid", "localhost", "test"),  # RFC 2606, RFC 6761
        *("example.com", "example.net", "example.org"),
        *("alt", "arpa", "internal", "local", "onion"),  # RFC 9476, 3172, ICANN 2024, 6762, 7686
        "home.arpa",  # RFC 8375
    }
)
SANDBOX = frozenset({"example", "test", "example.com", "example.net", "example.org"})
"""What a sandbox may set as `reserved_ok`: the suffixes that are reserved for trying."""

_DOTS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))  # UTS 46 §4
_LDH = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

Kind = Literal["single", "wildcard", "ip"]
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Name:
    """A name that may stand in a certificate; `text` is lower case, A-labels, no final dot."""

    text: str
    kind: Kind


class _FaultyError(Exception):
    """The text is not a name, for all these reasons."""

    def __init__(self, *grounds: tuple[str, str]) -> None:
        super().__init__(grounds)
        self.grounds = grounds


def normalise(
    text: str, *, reserved_ok: frozenset[str] = frozenset()
) -> Name | tuple[Objection, ...]:
    """Write a name as certificates do, or say all that stands against it.

    Unicode becomes A-labels (IDNA 2008 by UTS 46, non-transitional), addresses their shortest form
    (RFC 5952). Names must lie under a suffix of the public suffix list's ICANN section, and above
    it; special-use names (RFC 6761) are refused but for those under a suffix in `reserved_ok`.
    The subject of each objection is the text as it was given.
    """
    try:
        name = _read(text)
    except _FaultyError as faulty:
        grounds = faulty.grounds
    else:
        grounds = tuple(_grounds(name, reserved_ok))
        if not grounds:
            return name
    return tuple(Objection(code=code, subject=text, message=said) for code, said in grounds)


def judge(
    names: Sequence[str], *, most: int, reserved_ok: frozenset[str] = frozenset()
) -> tuple[tuple[Name, ...], tuple[Objection, ...]]:
    """Tell the names that stand, in the order given, and every objection to the others.

    Beyond what `normalise` says of each: `duplicate_name`, and `too_many_names`. No names at all
    are no objection here.
    """
    stand: dict[Name, str] = {}
    objections = []
    if len(names) > most:
        said = f"{len(names)} names, where {most} are the most"
        objections.append(Objection(code="too_many_names", subject="names", message=said))
    for text in names:
        match normalise(text, reserved_ok=reserved_ok):
            case Name() as name if name in stand:
                said = f"is the same name as {stand[name]}"
                objections.append(Objection(code="duplicate_name", subject=text, message=said))
            case Name() as name:
                stand[name] = text
            case grounds:
                objections += grounds
    return tuple(stand), tuple(objections)


def canonical(text: str) -> str:
    """Write a name as `normalise` does, whether it may be certified or not; else leave it."""
    try:
        return _read(text).text
    except _FaultyError:
        return text


def authorization_domain(name: str) -> str:
    """Return the name whose control is to be proven (BR 3.2.2.4): a wildcard's parent."""
    return name.removeprefix(WILDCARD)


def count(names: Sequence[Name]) -> tuple[int, int, int]:
    """Count the names of each kind: single, wildcard, ip."""
    kinds = [name.kind for name in names]
    return kinds.count("single"), kinds.count("wildcard"), kinds.count("ip")


def certificate_kind(names: Sequence[Name]) -> CertificateKind:
    """Say what a certificate for `names`, at least one, is called; an address counts as single.

    Raises ValueError when there are none.
    """
    _, wildcards, _ = count(names)
    match wildcards, len(names) - wildcards:
        case 0, 0:
            raise ValueError("a certificate without names is of no kind")
        case 0, 1:
            return "single"
        case 0, _:
            return "multi_domain"
        case 1, 0:
            return "wildcard"
        case _, 0:
            return "multi_domain_wildcard"
        case _:
            return "hybrid"


def is_address(name: str) -> bool:
    """Tell an address from a domain name, both in canonical text."""
    return ":" in name or name.rpartition(".")[2].isdecimal()


def is_public(address: Address) -> bool:
    """Tell whether an address is a host of the public internet: global unicast and no tunnel.

    Addresses that carry another one (IPv4-mapped, 6to4, Teredo, NAT64) could lead anywhere.
    """
    if isinstance(address, IPv6Address):
        carries = address.ipv4_mapped or address.sixtofour or address.teredo
        if carries is not None or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def primary_domain(name: Name) -> str:
    """Return the domain that was registered: one label under the public suffix; an address itself.

    `www.shop.co.uk` gives `shop.co.uk`.
    """
    if name.kind == "ip":
        return name.text
    domain = authorization_domain(name.text)
    return _suffixes().privatesuffix(domain) or domain


def is_public_suffix(domain: str) -> bool:
    """Tell whether anybody may register names right under `domain` (ICANN section, A-labels)."""
    return _suffixes().publicsuffix(domain) == domain


def is_within(domain: str, suffixes: frozenset[str]) -> bool:
    """Tell whether `domain`, or a domain above it, is among `suffixes`."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in suffixes for start in range(len(labels)))


@lru_cache(KNOWN)
def _read(text: str) -> Name:
    if len(text) > LONGEST_TEXT:
        raise _FaultyError(("name_too_long", f"has more than {LONGEST_NAME} characters"))
    plain = text.strip().translate(_DOTS)
    if address := _address(plain):
        return Name(str(address), "ip")
    parent = plain.removeprefix(WILDCARD)
    if "*" in parent:
        raise _FaultyError(
            ("wildcard_misplaced", "may have one *, alone, as the leftmost label (RFC 6125 §6.4.3)")
        )
    domain = _domain(parent)
    return Name(domain, "single") if parent == plain else _of_length(WILDCARD + domain, "wildcard")


def _of_length(text: str, kind: Kind) -> Name:
    if len(text) > LONGEST_NAME:
        raise _FaultyError(("name_too_long", f"has more than {LONGEST_NAME} characters"))
    return Name(text, kind)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else address


def _domain(text: str) -> str:
    labels = _mapped(text).removesuffix(".").split(".")
    faults: dict[tuple[str, str], None] = {}
    encoded = []
    for label in labels:
        try:
            encoded.append(_label(label))
        except _FaultyError as faulty:
            faults |= dict.fromkeys(faulty.grounds)
    domain = ".".join(encoded)
    if len(domain) > LONGEST_NAME:
        faults[("name_too_long", f"has more than {LONGEST_NAME} characters")] = None
    if labels[-1].isdecimal():
        faults[("name_invalid", "is no address, and no name either: it ends in a number")] = None
    if faults:
        raise _FaultyError(*faults)
    return domain


def _mapped(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        return idna.uts46_remap(text, std3_rules=True, transitional=False)
    except UnicodeError as error:
        raise _FaultyError(("name_invalid", f"is no name by UTS 46: {error}")) from error


def _label(label: str) -> str:
    if not label:
        raise _FaultyError(("name_invalid", "has an empty label"))
    if not label.isascii():
        return _encoded(label)
    if len(label) > LONGEST_LABEL:
        raise _FaultyError(("label_too_long", f"has a label of more than {LONGEST_LABEL}"))
    if not _LDH.fullmatch(label):
        said = f"{label!r} holds more than letters, digits and inner hyphens (RFC 5890 §2.3.1)"
        raise _FaultyError(("name_invalid", said))
    if label[2:4] == "--":
        return _checked(label)
    return label


def _encoded(label: str) -> str:
    if len(label.encode("punycode")) + len("xn--") > LONGEST_LABEL:
        raise _FaultyError(("label_too_long", f"has a label of more than {LONGEST_LABEL}"))
    try:
        return idna.alabel(label).decode()
    except UnicodeError as error:
        raise _FaultyError(("name_invalid", f"is no name by IDNA 2008: {error}")) from error


def _checked(label: str) -> str:
    """Let an A-label pass if it says what it would be made of; no other has "--" there."""
    try:
        if label.startswith("xn--") and idna.alabel(idna.ulabel(label)).decode() == label:
            return label
    except UnicodeError:
        pass
    raise _FaultyError(("name_invalid", f"{label!r} is no A-label (RFC 5891 §4.2.3.1)"))


def _grounds(name: Name, reserved_ok: frozenset[str]) -> Iterator[tuple[str, str]]:
    if name.kind == "ip":
        if not is_public(ipaddress.ip_address(name.text)):
            yield "ip_reserved", "is reserved or private, and belongs to nobody (BR 4.2.2)"
        return
    domain = authorization_domain(name.text)
    suffix: str | None = _suffixes().publicsuffix(domain)
    if is_within(domain, reserved_ok):
        # What the list does not know is as if it were a suffix to its last label.
        suffix = suffix or domain.rpartition(".")[2]
    elif is_within(domain, SPECIAL_USE):
        yield "name_reserved", "is reserved for special use (RFC 6761), and belongs to nobody"
        return
    yield from _against_suffix(name, domain, suffix)


def _against_suffix(name: Name, domain: str, suffix: str | None) -> Iterator[tuple[str, str]]:
    if suffix is None:
        yield "name_internal", "is internal: it ends in no public suffix (BR 4.2.2)"
    elif domain == suffix and name.kind == "wildcard":
        yield "wildcard_of_public_suffix", f"would cover everyone under {suffix} (BR 3.2.2.6)"
    elif domain == suffix:
        yield "name_invalid", "is a public suffix: it belongs to nobody"


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)
