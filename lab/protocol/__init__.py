"""What an engine and a provider say to each other: no more than both must know."""
