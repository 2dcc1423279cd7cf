"""The answerer asks the scripted model."""

from scripted import answerer, answering, documents, model

__all__ = ["answerer", "answering", "documents", "model"]
