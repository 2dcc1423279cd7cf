"""Questions, oracle and distractor passages, targets with quotes, splits: the training set."""
