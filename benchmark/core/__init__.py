"""What decides a number, and nothing else: the loop, what a strategy sees and answers, the rules, the contract of a task-setting."""
