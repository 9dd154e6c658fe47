"""Export: bundles of both networks for runtimes without PyTorch, with a measured parity report."""
