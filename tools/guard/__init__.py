"""The static guard: an allow-list over the parsed statement, independent of the engine's own protection."""
