"""Figures over time, one row a second: response times, accuracy, and how learning goes."""

from __future__ import annotations

from collections import deque

KEPT = 900
"""Rows: a quarter of an hour at one a second."""
WINDOW = 10.0
"""Seconds that a row looks back: median and 95th percentile of the outcomes therein."""
SAMPLES = 5000
"""Outcomes in a window at most; beyond, the oldest are forgotten."""

MEASURED = ("t", "median", "p95", "accuracy", "required", "gap")
TOLD = ("oracle", "greedy", "regret", "alpha", "real_rate", "planned_rate", "model_error")
COLUMNS = MEASURED + TOLD
"""What a row holds, in this order: what is measured here, and what others say of themselves."""

Row = list[float | None]


class Series:
    """Takes samples, closes a row when asked. Times are seconds, of whatever clock is passed."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=KEPT)
        self._outcomes: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._accuracy: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._best: float | None = None
        self.required: float | None = None
        self._told: dict[str, tuple[float, float | None]] = {}

    def outcome(self, at: float, response_ms: float) -> None:
        """One request took so many milliseconds."""
        self._outcomes.append((at, response_ms))

    def round(self, at: float, accuracy_pct: float) -> None:
        """One round's average accuracy, in percent."""
        self._accuracy.append((at, accuracy_pct))

    def tell(self, at: float, **values: float | None) -> None:
        """What others say of themselves: columns of TOLD, shown until they fall silent."""
        self._told.update({name: (at, value) for name, value in values.items()})

    def begin(self, required: float | None) -> None:
        """Another goal, or everything forgotten: what was best so far no longer counts."""
        if required != self.required:
            self.required, self._best = required, None

    def forget(self) -> None:
        """What was learned is gone, and with it what was best."""
        self._best = None

    def close(self, at: float) -> Row:
        """Make the row of this second, and keep it."""
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
            *(self._still(name, at) for name in TOLD),
        ]
        self.rows.append(row)
        return row

    def _still(self, name: str, at: float) -> float | None:
        said, value = self._told.get(name, (at, None))
        return value if at - said <= WINDOW else None

    def _gap(self, times: list[float], accuracy: float | None) -> float | None:
        """Mean of the window over the best such mean since the goal was set, less one.

        On real nodes nobody knows the optimum; this is the best that was ever seen instead.
        """
        if not times or accuracy is None:
            return None
        mean = sum(times) / len(times)
        meets = self.required is None or accuracy >= self.required - 1e-9
        if meets and (self._best is None or mean < self._best):
            self._best = mean
        return None if self._best is None else round(mean / self._best - 1, 4)


def _recent(samples: deque[tuple[float, float]], at: float) -> deque[tuple[float, float]]:
    """Forget what is older than the window; return the rest."""
    while samples and samples[0][0] < at - WINDOW:
        samples.popleft()
    return samples


def quantile(ascending: list[float], share: float) -> float | None:
    """The value below which `share` of the values lie, between neighbours by proportion."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (place - low) * (ascending[high] - ascending[low])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
