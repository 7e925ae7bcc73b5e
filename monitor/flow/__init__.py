"""Between a source's reader and the engine: what waits for the consumer, the work that fills it, and tasks that end together."""
