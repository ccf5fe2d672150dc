"""Whom to reach: triggers, the guard, and what was decided and sent."""
