"""What the CA's verification does when messages arrive, and what it does in the world."""

from functools import partial

from services.ca_verification import domain, store
from services.ca_verification.domain import Practice
from services.ca_verification.domain.messages import (
    CertificateNotLinted,
    CertificateSigned,
    CheckName,
    CheckNameNow,
    DecideTask,
    IntentOutdated,
    NameChecked,
    RemindApplicant,
    SignCertificate,
    TryAgain,
)
from services.ca_verification.domain.things import Application
from services.ca_verification.world import World
from shared.contracts.application import (
    ApplicationSubmitted,
    NameDropRequested,
    RevocationRequested,
    WithdrawalRequested,
)
from shared.errands import does, does_together
from shared.reactions import Shelf, when
from shared.road import Road

applications = Shelf(
    Application,
    store.load_applications,
    store.save_applications,
    "applications",
    weighs=lambda it: len(it.names),
)


def make_road(practice: Practice) -> Road:
    """Lay the road of a CA that works so."""
    begin = partial(domain.begin, practice=practice)
    note_check = partial(domain.note_check, practice=practice)
    decide = partial(domain.decide, practice=practice)
    drop = partial(domain.drop, practice=practice)
    intend_again = partial(domain.intend_again, practice=practice)
    try_again = partial(domain.try_again, practice=practice)
    return Road(
        when(
            ApplicationSubmitted,
            applications,
            about=lambda it: it.application_id,
            then=begin,
            begins=True,
        ),
        does(CheckName, World.check_name, at_once=250),
        when(NameChecked, applications, about=lambda it: it.application_id, then=note_check),
        when(CheckNameNow, applications, about=lambda it: it.application_id, then=domain.check_now),
        when(DecideTask, applications, about=lambda it: it.application_id, then=decide),
        does_together(SignCertificate, World.sign, at_once=500, chunk=25),
        when(
            CertificateSigned, applications, about=lambda it: it.application_id, then=domain.issue
        ),
        when(
            CertificateNotLinted,
            applications,
            about=lambda it: it.application_id,
            then=domain.keep_back,
        ),
        when(IntentOutdated, applications, about=lambda it: it.application_id, then=intend_again),
        when(TryAgain, applications, about=lambda it: it.application_id, then=try_again),
        when(NameDropRequested, applications, about=lambda it: it.application_id, then=drop),
        when(
            RevocationRequested,
            applications,
            about=lambda it: it.application_id,
            then=domain.revoke,
        ),
        when(RemindApplicant, applications, about=lambda it: it.application_id, then=domain.remind),
        when(
            WithdrawalRequested,
            applications,
            about=lambda it: it.application_id,
            then=domain.withdraw,
        ),
        shelves=(applications,),
    )


road = make_road(Practice())
