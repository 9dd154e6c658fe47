"""Evaluation on data sets with ground truth: fixed protocols, metrics, confidence intervals.

    ground_truth          evaluation pairs and their ground truth
    datasets              READERS: name of a data set -> function that reads it
    protocols             PROTOCOLS: all settings that metrics depend on, by name
    predictors            methods under evaluation: a preset, or another program
    predict               stage 1: features and matches to a store; resumable
    score                 stage 2: the matches in the store against the ground truth
    resized_coordinates   matches and ground truth in px of the resized images
    report                results per pair, metrics and their intervals, as JSON
    compare               significance of the differences between two reports
    bootstrap             confidence intervals of means, AUCs and differences
    evaluate              both stages in one call

The metrics of single pairs are in `tiepoint.geometry.metrics`.
"""
