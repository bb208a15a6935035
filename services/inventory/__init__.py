"""Inventory: what was bought, the instances made of it, and who may use them.

Asked     over HTTP                         CreateInstances
Consumes  certificates.purchases.v1         PurchaseCompleted
          certificates.combination.v1       CombinationRequested, InstancesCombined
          certificates.application.v1       ApplicationRequested, ApplicationWithdrawn
          certificates.ca-verification.v1   VerificationPending, ApplicationRejected,
                                            CertificateIssued
Produces  certificates.inventory.v1
"""
