"""The inputs of every type, as the real provider's source has them: one module a subject, data only."""
