"""Figures over time, one row a second: response times, accuracy, and training progress."""

from __future__ import annotations

from collections import deque

MAX_ROWS = 900
"""A quarter of an hour at one row a second."""
WINDOW_S = 10.0
"""Seconds of outcomes from which a row takes its median and 95th percentile."""
MAX_SAMPLES = 5000
"""Outcomes kept in a window; the oldest are discarded first."""

MEASURED = ("t", "median", "p95", "accuracy", "required", "gap")
REPORTED = ("oracle", "greedy", "regret", "alpha", "real_rate", "planned_rate", "model_error")
COLUMNS = MEASURED + REPORTED
"""The columns of a row in order: first what is measured here, then what other services report."""

Row = list[float | None]


class TimeSeries:
    """Collects samples and closes a row on request. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=MAX_ROWS)
        self._outcomes: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)
        self._accuracy: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)
        self._best: float | None = None
        self.required: float | None = None
        self._reported: dict[str, tuple[float, float | None]] = {}

    def add_outcome(self, at: float, response_ms: float) -> None:
        """Add the response time of one request, in milliseconds."""
        self._outcomes.append((at, response_ms))

    def add_accuracy(self, at: float, accuracy_pct: float) -> None:
        """Add the average accuracy of one round, in percent."""
        self._accuracy.append((at, accuracy_pct))

    def report(self, at: float, **values: float | None) -> None:
        """Set columns of REPORTED; a value is shown for WINDOW_S seconds after its last report."""
        self._reported.update({name: (at, value) for name, value in values.items()})

    def set_required(self, required: float | None) -> None:
        """Set the required accuracy in percent; a change discards the best mean so far."""
        if required != self.required:
            self.required, self._best = required, None

    def reset_best(self) -> None:
        """Discard the best mean so far: the policy was reset."""
        self._best = None

    def close_row(self, at: float) -> Row:
        """Append the row of this second and return it."""
        times = sorted(ms for _, ms in _recent(self._outcomes, at))
        accuracies = [pct for _, pct in _recent(self._accuracy, at)]
        accuracy = sum(accuracies) / len(accuracies) if accuracies else None
        row = [
            round(at, 1),
            _rounded(quantile(times, 0.5)),
            _rounded(quantile(times, 0.95)),
            _rounded(accuracy),
            self.required,
            self._gap(times, accuracy),
            *(self._recent_report(name, at) for name in REPORTED),
        ]
        self.rows.append(row)
        return row

    def _recent_report(self, name: str, at: float) -> float | None:
        reported_at, value = self._reported.get(name, (at, None))
        return value if at - reported_at <= WINDOW_S else None

    def _gap(self, times: list[float], accuracy: float | None) -> float | None:
        """Return the mean of the window over the best such mean since the goal was set, less one.

        The optimum is unknown on real nodes; the best observed mean stands in for it.
        """
        if not times or accuracy is None:
            return None
        mean = sum(times) / len(times)
        meets = self.required is None or accuracy >= self.required - 1e-9
        if meets and (self._best is None or mean < self._best):
            self._best = mean
        return None if self._best is None else round(mean / self._best - 1, 4)


def _recent(samples: deque[tuple[float, float]], at: float) -> deque[tuple[float, float]]:
    """Discard the samples older than the window; return the rest."""
    while samples and samples[0][0] < at - WINDOW_S:
        samples.popleft()
    return samples


def quantile(ascending: list[float], share: float) -> float | None:
    """Return the value below which `share` of the values lie, by linear interpolation."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (place - low) * (ascending[high] - ascending[low])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
