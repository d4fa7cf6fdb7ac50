"""Commands that measure: `eval`, `score`, `merge`, `compare` and `reliability`."""
