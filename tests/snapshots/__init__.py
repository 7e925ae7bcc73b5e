"""Every screen of the terminal UI in its states, as text that can be read in a diff: ``screens/``."""
