"""What stands over a screen and wants an answer: a text, a choice, a decision."""
