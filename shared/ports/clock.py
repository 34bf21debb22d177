"""Clock and identity: time and new ids come from outside, so that every decision can be repeated."""

from collections.abc import Callable
from datetime import datetime

Now = Callable[[], datetime]
"""The time now, with a time zone."""

NewId = Callable[[], str]
"""A new id: 26-36 safe characters, never given twice, later ones sort later."""
