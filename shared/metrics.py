"""What an operator watches, in Prometheus' text format at `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time series more for each, that nobody asks for

HANDLED = Counter("certfold_messages_handled", "Messages that were decided", ["message"])
PARKED = Counter("certfold_messages_parked", "Messages that wait for a person", ["error"])
REPEATED = Counter("certfold_messages_repeated", "Messages that were seen before")
PASSED_BY = Counter("certfold_messages_passed_by", "Known or newer events nobody reacts to here")
RETRIED = Counter("certfold_batches_retried", "Batches that waited for the world to get better")
PUBLISHED = Counter("certfold_facts_published", "Records that the broker has acknowledged")
ERRANDS = Counter("certfold_errands_performed", "Errands by kind and outcome", ["kind", "outcome"])
STOPPED = Gauge("certfold_road_stopped", "1 while our own code fails and a person must look")
BATCH = Histogram(
    "certfold_batch_seconds",
    "Time of a batch's transaction",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
