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
    """

    def __init__(self, verbose: int, epochs: int) -> None:
        self._verbose, self._epochs = verbose, epochs

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, epoch: int, logs: dict[str, float], rows: int) -> None:
        """Show the numbers of an epoch that is done, of so many rows."""
        if self._verbose:
            print(self._line(epoch, logs, rows), flush=True)

    def _line(self, epoch: int, logs: dict[str, float], rows: int) -> str:
        count = f"{epoch + 1:{len(str(self._epochs))}}/{self._epochs}"
        numbers = "".join(
            f"   {name} {value:7.4f}" for name, value in logs.items() if name not in _NOT_SHOWN
        )
        seconds = logs["seconds"]
        speed = rows / seconds
        return f"epoch {count}{numbers}   {seconds:6.3f} s {speed:9,.0f} samples/s"
