"""Brings everything up on this machine and keeps it up; whoever stops it leaves nothing behind.

PostgreSQL, Kafka and the sandbox first, together; then what they must hold; then the services.
"""

from certfold.up.settings import SETTINGS
from certfold.up.system import system, up

__all__ = ["SETTINGS", "system", "up"]
