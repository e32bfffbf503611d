"""Wrappers of oracles: checks, budgets, records, retries, imperfections."""
