"""CA verification: from a submitted application to a certificate, or to what it waits on.

Asked     over HTTP                    DecideTask, CheckNameNow
Consumes  certificates.application.v1  ApplicationSubmitted, WithdrawalRequested
Does      in the world                 CheckName, SignCertificate
Produces  certificates.ca-verification.v1
"""
