"""What a fit shows while it runs."""

from types import TracebackType

_NOT_SHOWN = ("learning_rate", "seconds")


class Progress:
    """Lines of text, one for each epoch.

    Parameters
    ----------
    verbose : int
        0 shows nothing.
    epochs : int
    n_rows : int
        Rows of an epoch.
    """

    def __init__(self, verbose: int, epochs: int, n_rows: int) -> None:
        self._verbose, self._epochs, self._n_rows = verbose, epochs, n_rows

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, epoch: int, logs: dict[str, float]) -> None:
        """Show the numbers of an epoch that is done."""
        if self._verbose:
            print(self._line(epoch, logs), flush=True)

    def _line(self, epoch: int, logs: dict[str, float]) -> str:
        count = f"{epoch + 1:{len(str(self._epochs))}}/{self._epochs}"
        numbers = "".join(
            f"   {name} {value:7.4f}" for name, value in logs.items() if name not in _NOT_SHOWN
        )
        seconds = logs["seconds"]
        speed = self._n_rows / seconds
        return f"epoch {count}{numbers}   {seconds:6.3f} s {speed:9,.0f} samples/s"
