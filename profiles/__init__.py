"""Who the person is: facets folded from facts, the person view merged at read, traits, and the store."""
