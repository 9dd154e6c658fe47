"""Latency budgets: time of pairs against the budget, and accuracy at each budget."""
