"""Values of the state's fields: decisions, choices, and the channels that keep them."""
