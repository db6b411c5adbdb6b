"""Galleries: enrolled people in memory or on disk, and their search. No TensorFlow."""
