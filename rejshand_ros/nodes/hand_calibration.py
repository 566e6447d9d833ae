"""The service that measures the operator's open hand, beside the running chain."""

from __future__ import annotations

from typing import Any

from rejshand_ros.errors import InputError, RejshandError
from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.calibration import (
    Calibration,
    calibration_path,
    check_person,
    save_calibration,
)
from rejshand_ros.retargeting.calibration_session import DURATION_S, CalibrationSession
from rejshand_ros.retargeting.retargeter import Retargeter

_NANO = 1e-9
# A hand that is not seen must not keep a measurement going for ever.
_PATIENCE = 2.0
# So many hands later a hand is measured without its mesh.
_LATEST_MESH = 4


class HandCalibration:
    """One measurement at a time: begun by a request, fed by hands, ended by either clock.

    A service may not wait, or no hand would come: the first call begins, and a call for the same
    person after the end tells how it went. What was measured is in use and on disk by then.
    """

    def __init__(self, retargeter: Retargeter) -> None:
        """Wait for a request.

        Args:
            retargeter: What takes the calibration on at once.
        """
        self._retargeter = retargeter
        self._session: CalibrationSession | None = None
        self._person = ""
        self._deadline_ns = 0
        self._outcome: Calibration | str | None = None
        self._waiting: dict[int, Array] = {}

    @property
    def running(self) -> bool:
        """Whether a hand is being measured."""
        return self._session is not None

    def serve(self, request: Any, response: Any, now_ns: int) -> Any:
        """Answer a rejshand_msgs/Calibrate request."""
        robot = self._retargeter.robot_hand
        try:
            person = check_person(request.person)
            path = calibration_path(person, robot.hand, robot.side)
            if self._session is not None:
                raise InputError(
                    f"{100 * self._session.progress:.0f} % of the calibration of {self._person} "
                    "are over; call again at its end"
                )
            outcome = self._outcome if person == self._person else None
            self._outcome = None
            if outcome is None:
                duration_s = float(request.duration) or DURATION_S
                self._session = CalibrationSession(self._retargeter.model, duration_s)
                self._person = person
                self._deadline_ns = now_ns + round(_PATIENCE * duration_s / _NANO)
                response.success, response.file = True, str(path)
                response.message = (
                    f"watching for {duration_s:g} s: hold the hand open; call again for the outcome"
                )
                return response
            if isinstance(outcome, str):
                raise InputError(outcome)
        except RejshandError as error:
            response.success, response.message = False, str(error)
            return response
        scales = ", ".join(f"{name} {fit.scale:.2f}" for name, fit in outcome.fingers.items())
        response.success, response.file = True, str(path)
        response.quality, response.message = outcome.quality, f"in use; scales: {scales}"
        return response

    def see(self, keypoints: Array, stamp_ns: int) -> None:
        """Take a followed hand in; its mesh comes on another topic, some hands later at most.

        Args:
            keypoints: (21, 3) metres.
            stamp_ns: Capture time, nanoseconds.

        Raises:
            InputError: The keypoints of the oldest hand that waits are no hand.
        """
        if self.running:
            self._waiting[stamp_ns] = keypoints
            if len(self._waiting) > _LATEST_MESH:
                self._measure(min(self._waiting), None)

    def see_mesh(self, vertices: Array, stamp_ns: int) -> None:
        """Take in the mesh of a followed hand.

        Args:
            vertices: (778, 3) metres, in the axes of the keypoints.
            stamp_ns: Capture time, nanoseconds.

        Raises:
            InputError: The hand or its mesh is none.
        """
        if self.running and stamp_ns in self._waiting:
            self._measure(stamp_ns, vertices)

    def check(self, now_ns: int) -> None:
        """End a measurement that has waited too long."""
        if self._session is not None and now_ns > self._deadline_ns:
            self._end()

    def _measure(self, stamp_ns: int, vertices: Array | None) -> None:
        keypoints = self._waiting.pop(stamp_ns)
        if self._session is not None and self._session.add(keypoints, stamp_ns, vertices):
            self._end()

    def _end(self) -> None:
        session, self._session = self._session, None
        self._waiting.clear()
        assert session is not None
        robot = self._retargeter.robot_hand
        try:
            calibration = session.finish(self._person)
            save_calibration(calibration_path(self._person, robot.hand, robot.side), calibration)
        except (RejshandError, OSError) as error:
            self._outcome = str(error)
            return
        self._retargeter.calibrate(calibration)
        self._outcome = calibration
