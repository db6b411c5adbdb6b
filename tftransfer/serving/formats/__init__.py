"""Formats of exported models: each file writes one and reads it back."""
