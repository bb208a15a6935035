"""From a form to an application that the CA has, and to its end."""

from collections.abc import Mapping
from typing import assert_never
from uuid import UUID

from services.application.domain.knowing import known
from services.application.domain.messages import (
    KeyMade,
    MakeKey,
    RequestApplication,
    RequestNameDrop,
    RequestWithdrawal,
)
from services.application.domain.things import (
    Application,
    Claimed,
    Failed,
    Issued,
    Key,
    Refused,
    Requested,
    Submitted,
    UsedKey,
    Withdrawn,
    used_key_id,
)
from shared.contracts.application import (
    ApplicationRefused,
    ApplicationRequested,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    NameDropped,
    NameDropRequested,
    WithdrawalRequested,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    DomainChecked,
    NameDropGranted,
    NameDropRefused,
    VerificationPending,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.contracts.inventory import ClaimRefused, InstanceClaimed, InstanceStatusChanged
from shared.decision import Decision, Moment
from shared.dnsnames import WILDCARD, Name, certificate_kind
from shared.replacing import replace

CSR_USED = Objection(
    code="csr_used", subject="csr", message="another application came with this key"
)


def request(
    application: Application | None,
    used: Mapping[UUID, UsedKey],
    asked: RequestApplication,
    _: Moment,
) -> Decision:
    """Ask the inventory for the instance; what is wrong with the form goes with it.

    The inventory refuses then, with its own objections too, so that all are told at once. A key
    serves one instance; a wish that is going to be refused does not use it up.
    """
    if application is not None:
        return Decision()
    form, objections = asked.form, asked.objections
    keys = [used.get(used_key_id(one), UsedKey(one)) for one in [form.spki_sha256] if one]
    if any(key.instances - {asked.instance_id} for key in keys):
        objections = (*objections, CSR_USED)
    if objections:
        form, keys = replace(form, spki_sha256=None), []
    wish = Application(asked.application_id, asked.account_id, asked.instance_id, form)
    requested = ApplicationRequested(
        application_id=wish.id,
        account_id=wish.account_id,
        instance_id=wish.instance_id,
        names=asked.counts,
        primary_domains=asked.primary_domains,
        objections=objections,
    )
    taken = (replace(key, instances=frozenset({asked.instance_id})) for key in keys)
    return Decision(changed=(wish, *taken), facts=(requested,))


def refuse(application: Application | None, refusal: ClaimRefused, _: Moment) -> Decision:
    """Pass all the objections on."""
    application = known(application, refusal.application_id)
    if not isinstance(application.stage, Requested):
        return Decision()
    refused = ApplicationRefused(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
        objections=refusal.objections,
    )
    return Decision((replace(application, stage=Refused(refusal.objections)),), (refused,))


def begin(application: Application | None, claimed: InstanceClaimed, moment: Moment) -> Decision:
    """Send the application to the CA, or make a key for it first."""
    application = known(application, claimed.application_id)
    if not isinstance(application.stage, Requested):
        return Decision()
    stage = Claimed(claimed.brand, claimed.certificate_type)
    held = replace(application, stage=stage)
    if application.form.csr_pem is not None:
        return submit(held, stage, application.form.csr_pem, moment)
    form = application.form
    errand = MakeKey(
        application_id=application.id, key_algorithm=form.key_algorithm, names=form.names
    )
    return Decision(changed=(held,), errands=(errand,))


def take_key(application: Application | None, made: KeyMade, moment: Moment) -> Decision:
    """Keep the key, and send the application to the CA."""
    match application := known(application, made.application_id):
        case Application(stage=Claimed() as stage):
            decision = submit(application, stage, made.csr_pem, moment)
            key = Key(application.id, made.encrypted_key)
            return replace(decision, changed=(*decision.changed, key))
        case _:
            return Decision()


def submit(application: Application, stage: Claimed, csr_pem: str, moment: Moment) -> Decision:
    """Send the application to the CA."""
    form = application.form
    submitted = ApplicationSubmitted(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
        brand=stage.brand,
        certificate_type=stage.certificate_type,
        certificate_kind=form.kind,
        names=form.names,
        organisation=form.organisation,
        contact=form.contact,
        csr_pem=csr_pem,
        key_algorithm=form.key_algorithm,
        validation_method=form.validation_method,
        submitted_at=moment.now,
    )
    return Decision((replace(application, stage=Submitted(moment.now)),), (submitted,))


def note_pending(
    application: Application | None, pending: VerificationPending, _: Moment
) -> Decision:
    """Note what the CA waits on."""
    match application := known(application, pending.application_id):
        case Application(stage=Submitted() as stage):
            noted = replace(
                stage,
                expected_by=pending.expected_by,
                overdue=pending.overdue,
                waiting_on=pending.waiting_on,
                names=pending.names or stage.names,
            )
            return Decision(changed=(replace(application, stage=noted),))
        case _:
            return Decision()


def note_check(application: Application | None, checked: DomainChecked, _: Moment) -> Decision:
    """Note what was found about one name."""
    match application := known(application, checked.application_id):
        case Application(stage=Submitted() as stage):
            seen = {
                "state": checked.state,
                "last_error": checked.last_error,
                "checked_at": checked.checked_at,
            }
            names = tuple(
                one.model_copy(update=seen) if one.name == checked.name else one
                for one in stage.names
            )
            return Decision((replace(application, stage=replace(stage, names=names)),))
        case _:
            return Decision()


def fail(application: Application | None, rejected: ApplicationRejected, _: Moment) -> Decision:
    """Note the CA's reasons."""
    application = known(application, rejected.application_id)
    if not isinstance(application.stage, Submitted):
        return Decision()
    stage = Failed(rejected.objections, rejected.support_contact)
    return Decision(changed=(replace(application, stage=stage),))


def ask_back(application: Application | None, asked: RequestWithdrawal, _: Moment) -> Decision:
    """Ask the CA to give the application back, or take it back before it gets there."""
    application = known(application, asked.application_id)
    match application.stage:
        case Submitted():
            wish = WithdrawalRequested(
                application_id=application.id,
                account_id=application.account_id,
                requested_by=asked.requested_by,
            )
            return Decision((replace(application, withdrawal_objections=()),), (wish,))
        case Claimed():
            return withdrawn(application)
        case Requested() | Refused() | Failed() | Issued():
            found = Objection(
                code="not_withdrawable",
                subject=str(application.id),
                message=f"the application is {type(application.stage).__name__.lower()}",
            )
            return Decision((replace(application, withdrawal_objections=(found,)),))
        case Withdrawn():
            return Decision()
        case _:
            assert_never(application.stage)


def take_back(application: Application | None, granted: WithdrawalGranted, _: Moment) -> Decision:
    """End the application, and let the inventory free its instance."""
    application = known(application, granted.application_id)
    if not isinstance(application.stage, Submitted):
        return Decision()
    return withdrawn(application)


def withdrawn(application: Application) -> Decision:
    """Say that the application is over."""
    fact = ApplicationWithdrawn(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
    )
    ended = replace(application, stage=Withdrawn())
    return Decision((ended,), (fact,), closed=(application.id,))


def keep(application: Application | None, refused: WithdrawalRefused, _: Moment) -> Decision:
    """Note why the CA does not give the application back."""
    application = known(application, refused.application_id)
    return Decision((replace(application, withdrawal_objections=refused.objections),))


def follow(application: Application | None, changed: InstanceStatusChanged, _: Moment) -> Decision:
    """Note how the instance is shown: what we show never runs ahead of it."""
    if application is None:
        return Decision()
    return Decision((replace(application, instance_status=changed.status),))


def ask_to_drop(application: Application | None, asked: RequestNameDrop, _: Moment) -> Decision:
    """Ask the CA to go on without one name."""
    application = known(application, asked.application_id)
    if asked.name in application.dropped:
        return Decision()
    if not isinstance(application.stage, Submitted):
        found = Objection(
            code="not_verifying",
            subject=asked.name,
            message=f"the application is {type(application.stage).__name__.lower()}",
        )
        return Decision((replace(application, drop_objections=(found,)),))
    wish = NameDropRequested(
        application_id=application.id,
        account_id=application.account_id,
        name=asked.name,
        requested_by=asked.requested_by,
    )
    return Decision((replace(application, drop_objections=()),), (wish,))


def drop(application: Application | None, granted: NameDropGranted, _: Moment) -> Decision:
    """Note that the certificate will not hold the name, and say so."""
    application = known(application, granted.application_id)
    form = application.form
    if granted.name not in form.names:
        return Decision()
    dropped = NameDropped(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
        name=granted.name,
    )
    names = tuple(one for one in form.names if one != granted.name)
    kinds = [Name(one, "wildcard" if one.startswith(WILDCARD) else "single") for one in names]
    left = replace(form, names=names, kind=certificate_kind(kinds))
    stage = application.stage
    if isinstance(stage, Submitted):
        seen = tuple(
            one.model_copy(update={"state": "dropped"}) if one.name == granted.name else one
            for one in stage.names
        )
        stage = replace(stage, names=seen)
    return Decision((replace(application, form=left, stage=stage),), (dropped,))


def keep_name(application: Application | None, refused: NameDropRefused, _: Moment) -> Decision:
    """Note why the name stays."""
    application = known(application, refused.application_id)
    return Decision((replace(application, drop_objections=refused.objections),))
