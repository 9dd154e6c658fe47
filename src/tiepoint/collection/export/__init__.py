"""Export of a collection: COLMAP database and text files, hloc, NumPy, Parquet."""
