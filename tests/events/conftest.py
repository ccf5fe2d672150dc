"""Properties here are judged by what holds, not by how long one example takes on a busy machine."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
