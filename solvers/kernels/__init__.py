"""Compiled inner loops, and the preparation of training problems for them."""
