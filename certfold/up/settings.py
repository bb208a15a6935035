"""What an operator may choose about the embedded system, and where each thing has its port."""

import os
from collections.abc import Mapping

from certfold import provision
from certfold.embedded.jars import REPOSITORY
from certfold.embedded.supervise import CannotStartError

DATA = "CERTFOLD_DATA"
PARTITIONS = "CERTFOLD_TOPIC_PARTITIONS"
REPLICAS = "CERTFOLD_TOPIC_REPLICAS"
PORT = "CERTFOLD_PORT_"
USUAL_PORTS: Mapping[str, int] = {
    "console": 8000,
    "inventory": 8001,
    "combination": 8002,
    "application": 8003,
    "ca_verification": 8004,
    **{f"health_{name}": 8010 + place for place, name in enumerate(provision.SERVICES)},
    "kafka": 9092,
    "kafka_controller": 9093,
    "postgres": 5432,
    "dns": 5353,
    "http": 8080,
    "tls": 8443,
}
SETTINGS: Mapping[str, str] = {
    DATA: "the directory that holds everything, .data by default",
    PARTITIONS: "how many partitions a new topic gets, 3 by default",
    REPLICAS: "how many replicas a new topic gets, 1 by default; the embedded Kafka has one node",
    REPOSITORY: "a mirror of Maven Central, for Kafka's archives",
    **{
        f"{PORT}{name.upper()}": f"a port on loopback; {usual} if it is free"
        for name, usual in USUAL_PORTS.items()
    },
}


def chosen_ports() -> dict[str, int]:
    """Return the ports that the environment chooses; raise `CannotStartError` with all faults."""
    chosen, faults = {}, []
    for name in USUAL_PORTS:
        variable = f"{PORT}{name.upper()}"
        if (text := os.environ.get(variable)) is None:
            continue
        if text.isdecimal() and 0 < int(text) < 1 << 16:
            chosen[name] = int(text)
        else:
            faults.append(f"{variable} is {text!r}, which is no port")
    if faults:
        raise CannotStartError("\n".join(faults))
    return chosen


def chosen_partitions() -> int:
    """Return how many partitions the environment chooses for new topics."""
    text = os.environ.get(PARTITIONS, str(provision.PARTITIONS))
    if not text.isdecimal() or not int(text):
        raise CannotStartError(f"{PARTITIONS} is {text!r}, which is no number of partitions")
    return int(text)
