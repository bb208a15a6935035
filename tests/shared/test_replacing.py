"""How frozen values become others, of whichever kind they are."""

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import Struct

from shared.replacing import replace


@dataclass(frozen=True, slots=True)
class Held:
    name: str
    size: int = 0


class Thing(Struct, frozen=True):
    name: str
    size: int = 0


@pytest.mark.parametrize("kind", [Held, Thing])
def test_all_but_what_is_replaced_stays_and_so_does_the_value_itself(kind: Any) -> None:
    value = kind("one", 1)

    assert replace(value, size=2) == kind("one", 2)
    assert value == kind("one", 1)


@pytest.mark.parametrize("kind", [Held, Thing])
def test_field_that_there_is_not_is_an_error(kind: Any) -> None:
    with pytest.raises(TypeError, match="weight"):
        replace(kind("one"), weight=2)
