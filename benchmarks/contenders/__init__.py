"""The programs that are compared: each a process of its own, over the same records, on a store that makes as sure."""
