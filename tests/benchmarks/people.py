"""What people send in: purchases, forms and requests for certificates, made before it is timed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.application.form import ApplicationBody, PastedCsr
from shared.clock import utc_now
from shared.contracts.application import Contact, Organisation
from shared.ids import new_id

OFFICER = "olga"
SHOP = "/bench/shop"
MEMBERS = 2  # instances that are combined, with one name each

ORGANISATION = Organisation(
    legal_name="Acme Trading Co., Ltd.",
    type="private",
    registration_number="91310000MA1FL0000X",
    country="CN",
    province="Shanghai",
    city="Shanghai",
    address="1 Century Avenue, Pudong",
    postcode="200120",
    phone="+862150000000",
    email="legal@shop.example.com",
)
CONTACT = Contact(
    name="Li Wei",
    email="li.wei@shop.example.com",
    phone="+8613800138000",
    role="administrator",
)


@dataclass(frozen=True, slots=True)
class Order:
    """One lifecycle's input."""

    account_id: str
    purchase_id: str
    names: tuple[str, ...]
    csr_pem: str
    number: int

    @property
    def key(self) -> UUID:
        """The id that the inventory gives the purchase."""
        return uuid5(NAMESPACE_URL, f"{SHOP}#purchase#{self.purchase_id}")

    @property
    def value(self) -> bytes:
        return json.dumps(
            {
                "purchase_id": self.purchase_id,
                "account_id": self.account_id,
                "brand": "DigiCert",
                "certificate_type": "OV",
                "names": {"single": 1, "wildcard": 0, "ip": 0},
                "quantity": MEMBERS,
                "term_years": 1,
                "price": {"amount": "298.00", "currency": "CNY"},
                "paid_at": "2026-11-22T01:02:03Z",
                "auto_create": False,
            }
        ).encode()

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.purchase_id.encode()),
            ("ce_source", SHOP.encode()),
            ("ce_type", b"certfold.PurchaseCompleted.v1"),
            ("content-type", b"application/json"),
        ]

    def form(self, instance_id: UUID) -> ApplicationBody:
        """Fill in the application form."""
        return ApplicationBody(
            instance_id=instance_id,
            names=list(self.names),
            organisation=ORGANISATION.model_copy(update=self._reached_at("legal")),
            contact=CONTACT.model_copy(update=self._reached_at("contact")),
            csr=PastedCsr(method="pasted", csr_pem=self.csr_pem),
        )

    def _reached_at(self, whom: str) -> dict[str, str]:
        """Nobody has the email or the phone of anybody else."""
        area = {"legal": 21, "contact": 10}[whom]
        return {
            "email": f"{whom}@{self.account_id}-{self.number}.example.com",
            "phone": f"+86{area}{self.number:08}",
        }


def order(account_id: str) -> Order:
    """Make a purchase that nothing will be applied for with."""
    return Order(account_id, str(new_id(utc_now())), (), "", 0)


def orders(count: int) -> list[Order]:
    """Make the input of so many lifecycles of one new account; each has a key of its own."""
    account_id = f"acme-{uuid4().hex[:8]}"
    return [
        Order(account_id, str(new_id(utc_now())), names, csr(names), number)
        for number, names in enumerate(_names(account_id, count))
    ]


def _names(account_id: str, count: int) -> Iterator[tuple[str, ...]]:
    for n in range(count):
        yield tuple(f"{host}.{account_id}-{n}.example" for host in ("www", "api"))


def csr(names: tuple[str, ...]) -> str:
    """Make a P-256 key and a request for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(Encoding.PEM).decode()
