"""Training on one's own people: heads, and embeddings trained further."""
