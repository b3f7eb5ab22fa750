"""Base of features whose columns all hold numbers: arrays and sparse matrices."""

from .categories import Coded


class MatrixFeatures:
    """Features with the methods of :class:`Table` that concern categories and messages."""

    categories: tuple[int, ...] = ()  # only tables have columns of them
    name: str
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def coded(self, j: int) -> Coded:
        """Not supported: matrices have no columns of categories."""
        raise NotImplementedError

    def called(self, j: int) -> str:
        """Name of a column in messages."""
        return f"{self.name}[:, {j}]"
