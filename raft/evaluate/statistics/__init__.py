"""What a limited number of questions can tell: means with intervals, tests, and where a difference comes from."""
