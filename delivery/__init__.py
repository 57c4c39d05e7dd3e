"""A commit on its way to a stack: previews, plans, drift, and what GitHub is told of them."""
