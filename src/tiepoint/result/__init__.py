"""MatchResult: the matches of an image pair, and its file format."""

from tiepoint.result.match_result import MatchResult

__all__ = ["MatchResult"]
