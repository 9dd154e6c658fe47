"""From a preset or a bundle and options to extractor and matcher; `tiepoint.load` puts them together.

config      LoadConfig: the options of `load` with their defaults, validated
extractors  preset -> extractor
matchers    preset -> matcher of features
bundles     bundle of an exported preset -> Matcher
"""
