"""What docker compose runs beside the services and their servers, each in a container of its own.

`keys` makes passwords and keys, then `init` makes roles, topics and the CA; both end. `sandbox`,
in its profile only, is the world outside. They meet in volumes: each service sees its own only.
"""
