"""Interfaces of other packages over tiepoint's networks: change the import, keep the program.

lightglue/   cvg/LightGlue: LightGlue, ALIKED, DISK, SuperPoint, load_image, rbd, match_pair, viz2d
hloc/        hloc (Hierarchical-Localization): extract_features, match_features, pairs_from_*, reconstruction
"""
