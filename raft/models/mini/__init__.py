"""The embedded default generator `mini`: its model class, tokenizer and shipped weights."""
