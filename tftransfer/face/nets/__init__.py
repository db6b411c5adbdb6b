"""Nets of faces: crops, published architectures, embedders."""
