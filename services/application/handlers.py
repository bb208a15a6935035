"""What the application service does when messages arrive, and what it does in the world."""

from services.application import domain, store
from services.application.domain.messages import (
    HostSeen,
    KeyMade,
    LookAtHost,
    LookAtHosts,
    MakeKey,
    RequestApplication,
    RequestNameDrop,
    RequestRevocation,
    RequestWithdrawal,
)
from services.application.domain.things import Application, Certificate, Key, UsedKey, used_key_id
from services.application.world import World
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    CertificateRevoked,
    DomainChecked,
    NameDropGranted,
    NameDropRefused,
    RevocationRefused,
    VerificationPending,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.contracts.inventory import ClaimRefused, InstanceClaimed, InstanceStatusChanged
from shared.errands import does, does_many
from shared.reactions import Shelf, when, when_beside_all, when_some
from shared.road import Road

applications = Shelf(
    Application,
    store.load_applications,
    store.save_applications,
    "applications",
    weighs=lambda it: 1 + len(it.form.names),
)
keys = Shelf(Key, store.load_keys, store.save_keys, "keys")
used_keys = Shelf(UsedKey, store.load_used_keys, store.save_used_keys)
certificates = Shelf(
    Certificate,
    store.load_certificates,
    store.save_certificates,
    "certificates",
    weighs=lambda it: 1 + len(it.hosts),
)

road = Road(
    when_beside_all(
        RequestApplication,
        applications,
        used_keys,
        about=lambda it: it.application_id,
        beside=lambda it: map(used_key_id, filter(None, [it.form.spki_sha256])),
        then=domain.request,
        begins=True,
    ),
    when(InstanceClaimed, applications, about=lambda it: it.application_id, then=domain.begin),
    when(ClaimRefused, applications, about=lambda it: it.application_id, then=domain.refuse),
    does_many(MakeKey, World.make_keys, executor=lambda w: w.pool, chunk=10),
    when(KeyMade, applications, about=lambda it: it.application_id, then=domain.take_key),
    when(
        VerificationPending,
        applications,
        about=lambda it: it.application_id,
        then=domain.note_pending,
    ),
    when(DomainChecked, applications, about=lambda it: it.application_id, then=domain.note_check),
    when(ApplicationRejected, applications, about=lambda it: it.application_id, then=domain.fail),
    when(RequestWithdrawal, applications, about=lambda it: it.application_id, then=domain.ask_back),
    when(
        WithdrawalGranted, applications, about=lambda it: it.application_id, then=domain.take_back
    ),
    when(WithdrawalRefused, applications, about=lambda it: it.application_id, then=domain.keep),
    when(
        RequestNameDrop, applications, about=lambda it: it.application_id, then=domain.ask_to_drop
    ),
    when(NameDropGranted, applications, about=lambda it: it.application_id, then=domain.drop),
    when(NameDropRefused, applications, about=lambda it: it.application_id, then=domain.keep_name),
    when(
        RequestRevocation,
        certificates,
        about=lambda it: it.certificate_id,
        then=domain.ask_to_revoke,
    ),
    when(
        CertificateRevoked,
        certificates,
        about=lambda it: it.certificate_id,
        then=domain.note_revoked,
    ),
    when(
        RevocationRefused,
        certificates,
        about=lambda it: it.certificate_id,
        then=domain.note_not_revoked,
    ),
    when_some(
        InstanceStatusChanged,
        applications,
        about=lambda it: it.application_id,
        then=domain.follow,
    ),
    when(CertificateIssued, applications, about=lambda it: it.application_id, then=domain.issue),
    when(LookAtHosts, certificates, about=lambda it: it.certificate_id, then=domain.look_now),
    does(LookAtHost, World.look_at_host, at_once=100),
    when(HostSeen, certificates, about=lambda it: it.certificate_id, then=domain.note_host),
    shelves=(applications, keys, used_keys, certificates),
)
