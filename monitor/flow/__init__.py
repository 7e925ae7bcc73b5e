"""Between a source's reader and the engine: what waits for the consumer, and tasks that end together."""
