"""Inventory: what was bought, the instances made of it, and who may use them.

Asked     over HTTP                         CreateInstances, RefundQuota, RefundInstance,
                                            SetHosting, AnnotateInstance, SetAutoCreate
Consumes  certificates.purchases.v1         PurchaseCompleted, PurchaseRefunded
          certificates.combination.v1       CombinationRequested, InstancesCombined,
                                            CombinationRefused
          certificates.application.v1       ApplicationRequested, ApplicationWithdrawn
          certificates.ca-verification.v1   VerificationPending, ApplicationRejected,
                                            CertificateIssued, CertificateRevoked
Does      at its time                       EndReservation
Produces  certificates.inventory.v1
"""
