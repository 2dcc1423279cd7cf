"""Retrieval-augmented fine-tuning: from a folder of documents to a tuned model and a verdict on it."""

__version__ = "0.2.0"
