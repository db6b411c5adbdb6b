"""Scores and thresholds of verification and identification. No TensorFlow."""
