"""Figures that anyone can check: data sets with ground truth, frozen protocols, metrics, intervals.

    pairs      what an evaluation is about: pairs of images, and what is true of them
    datasets   READERS: name of a data set -> function that reads it
    bootstrap  how sure a mean, an AUC, or a difference between two of them is

The metrics themselves are geometry: `tiepoint.geometry.metrics`.
"""
