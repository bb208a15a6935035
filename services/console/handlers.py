"""What the console does when it is asked."""

from services.console import domain, store
from services.console.domain import EnrolPeople, IssueToken, RevokeToken
from shared.reactions import Shelf, when, when_all
from shared.road import Road

tokens = Shelf(domain.Token, store.load_tokens, store.save_tokens)

road = Road(
    when(IssueToken, tokens, about=lambda it: it.token_id, then=domain.issue),
    when(RevokeToken, tokens, about=lambda it: it.token_id, then=domain.revoke),
    when_all(EnrolPeople, tokens, about=lambda it: it.ids, then=domain.enrol),
    shelves=(tokens,),
)
