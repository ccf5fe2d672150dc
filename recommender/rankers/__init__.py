"""What can rank items for a person: one protocol, one contract suite, several ways to do it."""
