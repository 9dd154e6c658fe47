"""Figures that anyone can check: data sets with ground truth, frozen protocols, metrics, intervals.

    pairs       what an evaluation is about: pairs of images, and what is true of them
    datasets    READERS: name of a data set -> function that reads it
    protocols   PROTOCOLS: everything else that a figure depends on, frozen, under a name
    predictors  who is evaluated: a preset, or another program
    predict     loop 1: features and matches into a store, which a killed run goes on from
    score       loop 2: what the store holds, against the truth
    frames      images and truths in the pixels that a protocol speaks of
    report      rows, figures and their intervals, as JSON
    compare     whether two reports differ for more than chance
    bootstrap   how sure a mean, an AUC, or a difference between two of them is
    evaluation  both loops in one call

The metrics themselves are geometry: `tiepoint.geometry.metrics`.
"""
