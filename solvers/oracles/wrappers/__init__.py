"""Oracles around an oracle: checks, budgets, records, retries, imperfections."""
