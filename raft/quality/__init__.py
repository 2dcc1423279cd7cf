"""What is wrong with questions, answers and texts by their words: the rules that `generate` and `audit` share."""
