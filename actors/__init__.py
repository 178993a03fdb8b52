"""The pipeline's work bound to queues: broker, actors, workers."""
