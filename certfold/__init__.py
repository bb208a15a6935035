"""The command: everything brought up on one machine, the sandbox around it, and a client."""
