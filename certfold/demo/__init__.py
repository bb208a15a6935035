"""Plays the whole story on real servers, as foreign programs would, and tells it.

Everybody here knows Certfold from outside only: by its topics, its API and the DNS.
"""

from certfold.demo.actors import DemoFailedError
from certfold.demo.story import attach, demo

__all__ = ["DemoFailedError", "attach", "demo"]
