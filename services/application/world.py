"""What the application service does in the world: keys, and handshakes with hosts."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from dns.asyncresolver import Resolver

from services.application import installation, keys
from services.application.domain.messages import HostSeen, KeyMade, LookAtHost, MakeKey
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class World:
    """The tools. `allow_private` lets hosts on this machine be looked at: a sandbox's are."""

    key_encryption_key: bytes
    pool: Executor
    resolver: Resolver
    tls_port: int
    tls_seconds: float
    allow_private: bool
    clock: Clock

    def close(self) -> None:
        """End the thread that makes keys."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def make_keys(self, errands: Sequence[MakeKey]) -> Sequence[KeyMade]:
        """Make keys, in a thread; what leaves this method is encrypted."""
        return [self._make_key(errand) for errand in errands]

    def _make_key(self, errand: MakeKey) -> KeyMade:
        made = keys.make(errand.key_algorithm, errand.names)
        about = errand.application_id.bytes
        return KeyMade(
            application_id=errand.application_id,
            csr_pem=made.csr_pem,
            encrypted_key=keys.encrypt(made.private_key_der, self.key_encryption_key, about),
        )

    async def look_at_host(self, errand: LookAtHost) -> HostSeen:
        """See which certificate a name serves."""
        seen = await installation.look(
            errand.name,
            self.tls_port,
            self.resolver,
            errand.sha256_fingerprint,
            allow_private=self.allow_private,
            timeout=self.tls_seconds,
        )
        return HostSeen(
            certificate_id=errand.certificate_id,
            name=errand.name,
            state=seen.state,
            sha256_fingerprint=seen.sha256_fingerprint,
            reason=seen.reason,
            seen_at=self.clock(),
        )
