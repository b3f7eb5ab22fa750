"""Matrix products: the two tiles, the hidden layer, the output layer, and updates."""
