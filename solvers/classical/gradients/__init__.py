"""Training of real weights: networks, objectives, optimizers, regularizers."""
