"""What is measured: scores, outcomes, retrieval, robustness, forgetting, a judge's opinion."""
