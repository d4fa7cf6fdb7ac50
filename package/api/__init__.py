"""The HTTP app: questions as JSON or as a stream of events, threads, schemas, metrics, and a page."""
