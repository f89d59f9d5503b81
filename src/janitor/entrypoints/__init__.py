"""Thin doors: parse, call a journey, shape the answer."""
