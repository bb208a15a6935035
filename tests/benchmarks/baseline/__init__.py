"""The same lifecycle the way most people would write it with FastStream: what we compare with.

One message at a time, one transaction a message. Where there was a choice, FastStream's
documentation made it, and where that is silent, whatever is better for this side:

- `@broker.subscriber` for each topic, a handler for each event told apart by `filter=` on a header
  ("Application-level filtering"), pydantic models as parameters, the pool from `Context()`;
- `AckPolicy.NACK_ON_ERROR`, since the default acknowledges before the handler has run;
- an inbox and an outbox in the transaction of each message, since a publisher decorator loses what
  it says when the process dies between the commit and the send. The relay polls, as textbooks have
  it, and publishes up to a hundred rows at once;
- all four services share one process, one schema and one relay, as ours share one process: three
  relays fewer than they would have;
- rows and columns instead of documents, one signature instead of a specimen's and the real one,
  names checked within the handler instead of by errands of their own: less work than ours.

The events are the same, one for one, so that whoever listens could not tell the difference.
"""
