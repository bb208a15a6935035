"""Combination: from the wish to combine instances to one instance, or to every reason why not.

Asked     over HTTP                    RequestCombination
Consumes  certificates.inventory.v1    InstancesReserved, ReservationRefused,
                                       ReservationUnclaimed, InstanceCreated
Produces  certificates.combination.v1
"""
