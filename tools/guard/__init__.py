"""The static guard: an allow-list over the parsed statement, which trusts no engine and which no engine trusts."""
