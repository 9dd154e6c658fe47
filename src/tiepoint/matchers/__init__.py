"""(Features, Features) -> Matches."""
