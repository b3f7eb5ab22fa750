"""Arrays through a network: predictions and scores."""
