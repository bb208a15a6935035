"""What must exist before a service starts: roles, topics, a CA's keys, people who may log in.

Idempotent: `up` does it at each start, and so does the one-shot container of docker compose.
"""

from certfold.provision.people import Person, people
from certfold.provision.roles import DATABASE, SERVICES, RolesRefusedError, passwords, roles
from certfold.provision.topics import (
    PARTITIONS,
    READS,
    REPLICAS,
    Change,
    Topic,
    TopicsRefusedError,
    apply_topics,
    plan_topics,
    topics,
)

__all__ = [
    "DATABASE",
    "PARTITIONS",
    "READS",
    "REPLICAS",
    "SERVICES",
    "Change",
    "Person",
    "RolesRefusedError",
    "Topic",
    "TopicsRefusedError",
    "apply_topics",
    "passwords",
    "people",
    "plan_topics",
    "roles",
    "topics",
]
