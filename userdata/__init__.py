"""What runs on the machines, and the pure functions that render it as user data. Imports neither Pulumi nor the lab."""
