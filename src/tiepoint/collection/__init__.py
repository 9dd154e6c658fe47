"""Match a folder of images on one machine or on a cluster, export the result, reconstruct it, localize in it.

images      records of the images of a folder: name, content digest, header
state       the files of an output folder: collection.json, pairs.txt, record stores
collection  open_collection: features, matches and two-view geometry of a finished run
pairs       selection of the pairs to match: exhaustive, sequential, retrieval, spatial, list
run         match_collection: stages, tasks, executors
export      COLMAP, hloc, NumPy, Parquet
sfm         reconstruction by COLMAP's mapper; localization of new images
report      run report, statistics, HTML view
"""
