"""Record of a fit: one list per quantity, one element per epoch."""

from collections.abc import Mapping


class History(dict[str, list[float]]):
    """Equal-length lists, in the order in which the quantities first came.

    Keys are ``loss`` and ``accuracy`` (means over the samples of the epoch, each as it was when
    its mini-batch was trained on), ``val_loss`` and ``val_accuracy`` where there are validation
    data, ``learning_rate`` and ``seconds`` (wall time of the training, without the validation).
    """

    def append(self, logs: Mapping[str, float]) -> None:
        """Add the numbers of one epoch."""
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def cut(self, n_epochs: int) -> None:
        """Drop what an interrupt left of an epoch that does not count."""
        for values in self.values():
            del values[n_epochs:]
