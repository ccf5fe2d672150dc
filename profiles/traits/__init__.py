"""Traits: figures computed from a person view when asked, each with formula, window, sample and purpose."""
