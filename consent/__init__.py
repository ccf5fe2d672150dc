"""What we may do: purposes, the state of consent, and the one door every use of personal data goes through."""
