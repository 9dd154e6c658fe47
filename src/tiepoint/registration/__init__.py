"""Registration: one image, or many, resampled onto the pixel grid of another.

registration       register, register_to_file, register_folder: match, estimate, check, warp
checks             reasons why an alignment is not written: no overlap, mirrored, over the horizon
rasters            Raster: pixels of any depth and number of bands, read from TIFF and other files
raster_files       writing of rasters, tile by tile
georeferencing     GeoTIFF tags and the transform from px to map coordinates
preview            8-bit-like view of a raster for matching: bands, reduced size
control_points     matches and residuals as CSV, or for QGIS
"""
