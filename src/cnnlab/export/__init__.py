"""Trained networks for other programs."""
