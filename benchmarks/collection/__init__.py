"""Collections: throughput against other programs, memory against the number of pairs."""
