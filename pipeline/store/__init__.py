"""All SQL of the pipeline, by table."""
