"""Registration error against ground-truth homographies."""
