"""What stands around the products: plan, team, training and prediction, and their launch."""
