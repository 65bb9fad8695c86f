"""Measures Roost beside another broker; see ../README.md."""
