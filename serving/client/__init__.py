"""Chat client of an OpenAI-compatible model server: requests, bounds, replies, failures."""
