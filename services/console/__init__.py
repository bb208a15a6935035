"""Console: who people are, and the one door through which they and their programs come in.

Asked     over HTTP     IssueToken, RevokeToken; at its start EnrolPeople
Forwards  over HTTP     the public API, to the service that owns what is asked for
Consumes, produces      nothing
"""
