"""What a node reports on /diagnostics: rate, age, drops, refusals, state."""

from __future__ import annotations

from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


@dataclass
class Monitor:
    """Counts of one node, in total and since the last report.

    Attributes:
        handled: Messages handled since the start.
        dropped: Messages skipped for newer ones, or lost, since the start.
        refused: Malformed or unusable messages since the start.
        last_refusal: Why the latest of them was refused.
        dropped_by_topic: The dropped ones whose topic is known, by topic.
        fault: What keeps the node from its work at present; empty where nothing does.
    """

    handled: int = 0
    dropped: int = 0
    refused: int = 0
    last_refusal: str = ""
    dropped_by_topic: dict[str, int] = field(default_factory=dict)
    fault: str = ""
    _ages_s: list[float] = field(default_factory=list)
    _works_s: list[float] = field(default_factory=list)
    _handled_before: int = 0
    _dropped_before: int = 0
    _refused_before: int = 0
    _reported_ns: int | None = None

    def handle(self, age_ns: int | None = None, work_ns: int | None = None) -> None:
        """Count one handled message.

        Args:
            age_ns: Time since the capture that it goes back to, at the end of the work.
            work_ns: What of it was spent in this node; the rest passed before it arrived.
        """
        self.handled += 1
        if age_ns is not None:
            self._ages_s.append(age_ns * 1e-9)
        if work_ns is not None:
            self._works_s.append(work_ns * 1e-9)

    def drop(self, count: int, topic: str = "") -> None:
        """Count messages that were skipped or lost, of a topic where it is known."""
        self.dropped += count
        if topic:
            self.dropped_by_topic[topic] = self.dropped_by_topic.get(topic, 0) + count

    def refuse(self, reason: str) -> None:
        """Count a message that could not be used."""
        self.refused += 1
        self.last_refusal = reason

    def report(
        self, now_ns: int, name: str, state: str, extra: dict[str, str] | None = None
    ) -> DiagnosticArray:
        """The message for /diagnostics; starts a new window.

        Args:
            now_ns: Time of the report, nanoseconds.
            name: Full name of the node.
            state: Its state in words.
            extra: Further values by name.
        """
        window_s = 0.0 if self._reported_ns is None else (now_ns - self._reported_ns) * 1e-9
        rate = (self.handled - self._handled_before) / window_s if window_s > 0 else 0.0
        drops = self.dropped - self._dropped_before
        refusals = self.refused - self._refused_before
        values = {
            "state": state,
            "rate_hz": f"{rate:.1f}",
            "handled": str(self.handled),
            "dropped": str(self.dropped),
            "refused": str(self.refused),
            **_spread("age", self._ages_s),
            **_spread("work", self._works_s),
            **(extra or {}),
        }
        level, text = DiagnosticStatus.OK, state
        if self.fault:
            level, text = DiagnosticStatus.ERROR, self.fault
        elif refusals:
            level, text = DiagnosticStatus.WARN, f"{refusals} refused: {self.last_refusal}"
        elif drops:
            level, text = DiagnosticStatus.WARN, f"{drops} dropped"
        self._reported_ns = now_ns
        self._handled_before, self._dropped_before = self.handled, self.dropped
        self._refused_before = self.refused
        self._ages_s.clear()
        self._works_s.clear()
        status = DiagnosticStatus(
            level=level,
            name=name,
            message=text,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now_ns, 1_000_000_000)
        return message


def _spread(name: str, seconds: list[float]) -> dict[str, str]:
    """Median and maximum in milliseconds; empty where nothing was counted."""
    ranked = sorted(seconds)
    return {
        f"{name}_ms_median": f"{1e3 * ranked[len(ranked) // 2]:.1f}" if ranked else "",
        f"{name}_ms_max": f"{1e3 * ranked[-1]:.1f}" if ranked else "",
    }
