"""Stitching of any number of overlapping images into panoramas.

panorama           stitch: match, estimate, find seams, blend, write; an overlay of two
settings           StitchSettings: projection, model, crop, limits
inputs             images with features and thumbnails; their pixels, read when they are needed
candidates         pairs that may overlap: all of few images, similar ones of many
pair_matches       PairMatch: homography of a pair, depth, duplicates, reasons not to use it
match_graph        MatchGraph: components, and why images are left out
component_search   rotated views of images that do not match as they are
cameras            rotations or homographies, whichever explains the matches
rotations          focal lengths and rotations, adjusted together
homographies       homographies to the most central image, adjusted together
vertical           direction down, from cameras that may be rotated in their planes
orientation        level horizon (wave correction), field of view, projection
views              px of an image to the surface of a panorama (plane, cylinder, sphere) and back
canvas             pixel grid of a panorama, and images warped to parts of it
seams              exposure compensation and seams, at the size of thumbnails
blending           multi-band blending, tile by tile
defects            what may be wrong: depth, gray among color images, lost resolution
cropping           largest rectangle without transparent pixels
result             Panorama
"""
