"""Nouns: frozen values and pure rules, standard library only."""
