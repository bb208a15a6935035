"""How a frozen value becomes another one: `replace`, for dataclasses and for Structs alike.

Things, which are replaced at every step they take, are msgspec's Structs: to make one anew takes a
fortieth of the time. What they hold, and what is written as JSON, are dataclasses.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

__all__ = ["replace"]

if TYPE_CHECKING:  # mypy knows the fields of both, and checks what is replaced by what
    from dataclasses import replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """Return `value` with other values in some fields; TypeError if it has no such fields."""
        if isinstance(value, Struct):
            return structs.replace(value, **changes)
        return dataclasses.replace(value, **changes)
