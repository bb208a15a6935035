"""The embedded certificate authority, for private and test use. It is not publicly trusted.

    plan → authority.prepare → linter.lint → Linted → authority.sign

What may not be signed cannot be expressed: a `Plan` refuses what no certificate can hold, only the
lint makes the `Linted` that `sign` takes, and what is signed is the linted specimen itself, if it
was prepared there. A request is checked once, when its certificate is prepared.
All of it is a function of the plan (RFC 6979): whoever signs a plan again, in another process too,
gets the same certificate.
"""
