"""The server of `tiepoint app`."""
