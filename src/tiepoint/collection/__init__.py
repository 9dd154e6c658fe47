"""A folder of photographs becomes matched pairs: on a laptop, or on many machines.

photographs  find_photographs: names, contents, headers
pairs        choose_pairs: which are matched with which; retrieval, spatial: by looks, by GPS
plan         what is still to be done, as units of work

gaps             what a collection lacks of what was asked for; all that follow say it
colmap           COLMAP's conventions: raster, half a pixel, cameras; colmap_database, colmap_text: its files
exports          EXPORTS: all formats; NumPy files and a Parquet table; hloc: hloc's HDF5 files
reconstruction   reconstruct: COLMAP's mapper, and its model in a few numbers
localization     localize: where a new photograph was taken; sightings, absolute_pose: its two halves
view             one HTML page; statistics, plots: what stands in it
"""
