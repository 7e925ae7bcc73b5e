"""A terminal without a window: real programs run on it, and what they show can be asked for, drawn and replayed."""
