"""Record of a fit: one list per quantity, one element per epoch."""

from collections.abc import Iterator, Mapping


class History(Mapping[str, list[float]]):
    """Mapping of equal-length lists, in the order in which the quantities first came.

    Keys are ``loss`` and ``accuracy`` (means over the samples of the epoch, each as it was when
    its mini-batch was trained on), ``val_loss`` and ``val_accuracy`` where there are validation
    data, ``learning_rate`` and ``seconds`` (wall time of the training, without the validation).
    """

    def __init__(self) -> None:
        self._lists: dict[str, list[float]] = {}

    def append(self, logs: Mapping[str, float]) -> None:
        """Add the numbers of one epoch."""
        for name, value in logs.items():
            self._lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __repr__(self) -> str:
        epochs = len(self._lists.get("loss", ()))
        return f"History({epochs} epochs of {', '.join(self._lists)})"
