"""Export of collections: COLMAP, hloc, NPZ, Parquet."""
