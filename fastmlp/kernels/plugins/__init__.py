"""What a run chooses: activations, losses, update rules, readers of rows, skipping of zeros."""
