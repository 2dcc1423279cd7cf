"""Generative models below the stages: the `Generator` protocol, its back-ends and the embedded default."""
