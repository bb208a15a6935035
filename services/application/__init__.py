"""Application: from an instance and a form to a certificate that is installed.

Asked     over HTTP                        RequestApplication, RequestWithdrawal, LookAtHosts
Consumes  certificates.inventory.v1        InstanceClaimed, ClaimRefused, InstanceStatusChanged
          certificates.ca-verification.v1  VerificationPending, DomainChecked, ApplicationRejected,
                                           WithdrawalGranted, WithdrawalRefused, CertificateIssued
Does      in the world                     MakeKey, LookAtHost
Produces  certificates.application.v1
"""
