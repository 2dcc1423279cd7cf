"""What is run: the arms, the models behind them, and the prompt that suits the untuned one."""
