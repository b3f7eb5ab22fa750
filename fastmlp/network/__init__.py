"""Networks: weights as users and as kernels keep them, and what leaves a process."""
