"""What to offer: the catalogue, the funnel, the rankers and their training, with reasons."""
