"""Networks: weights, models with their training state, and the form in which they are saved."""
