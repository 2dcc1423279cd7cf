"""Adapt a model to the documents: RAFT on examples with passages, or plain fine-tuning (DSF) on the same questions."""
