"""Search over views: candidates, their cheap matches, and the matches of a pair of views."""
