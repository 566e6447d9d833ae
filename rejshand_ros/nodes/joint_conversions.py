"""Joint targets and commands to messages and back: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from rejshand_msgs.msg import FingertipError, JointTarget, TeleopState
from rejshand_msgs.msg import HandCommand as HandCommandMessage
from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.outputs import (
    JointStateOutput,
    MultiArrayOutput,
    Output,
    OutputForm,
    values_by_name,
)
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.stamps import duration_message, header, nanoseconds, time_message
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome


def target_to_message(
    result: RetargetResult, stamp_ns: int, hand: str, side: Side, frame_id: str = ""
) -> JointTarget:
    """JointTarget of a solve."""
    message = JointTarget(
        header=header(stamp_ns, frame_id),
        hand=hand,
        side=str(side),
        names=list(result.joint_names),
        outcome=result.outcome.value,
        reason=result.reason,
        iterations=int(result.iterations),
        solve_time=float(result.solve_time_s),
        fingertip_errors=[
            FingertipError(finger=finger, error=float(error))
            for finger, error in result.fingertip_error_m.items()
        ],
        active_limits=list(result.active_limits),
    )
    message.positions.extend(np.asarray(result.positions, float).tolist())
    return message


def target_from_message(message: JointTarget) -> RetargetResult:
    """The solve in a JointTarget.

    Raises:
        InputError: Names and positions differ in number, a number is not finite, or the outcome
            is unknown.
    """
    positions = np.array(message.positions, float)
    if len(message.names) != len(positions):
        raise InputError(f"{len(message.names)} joint names, {len(positions)} positions")
    if not np.isfinite(positions).all():
        raise InputError("joint target holds positions that are not finite")
    try:
        outcome = SolveOutcome(message.outcome)
    except ValueError:
        raise InputError(f"joint target has outcome {message.outcome}; valid: 0 to 4") from None
    return RetargetResult(
        joint_names=tuple(message.names),
        positions=positions,
        outcome=outcome,
        reason=message.reason,
        iterations=int(message.iterations),
        solve_time_s=float(message.solve_time),
        fingertip_error_m={e.finger: float(e.error) for e in message.fingertip_errors},
        active_limits=tuple(message.active_limits),
    )


def target_for(
    message: JointTarget, hand: str, side: str, joint_names: tuple[str, ...]
) -> RetargetResult:
    """The solve in a JointTarget that is for this very hand.

    Raises:
        InputError: It is malformed, or for another hand, side or order of joints.
    """
    target = target_from_message(message)
    if (message.hand, message.side) != (hand, side):
        # Left and right hands may call their joints alike.
        raise InputError(
            f"joint target is for {message.hand or 'no hand'} {message.side or 'of no side'}; "
            f"this is {hand} {side}"
        )
    if target.joint_names != joint_names:
        raise InputError(
            f"joint target names {', '.join(target.joint_names) or 'nothing'}; "
            f"this hand has {', '.join(joint_names)}"
        )
    return target


def teleop_state_message(phase: TeleopPhase, reason: str, stamp_ns: int) -> TeleopState:
    """TeleopState of a phase."""
    return TeleopState(
        header=header(stamp_ns), state=phase.value, name=phase.name.lower(), reason=reason
    )


def command_to_message(command: HandCommand) -> HandCommandMessage:
    """HandCommand as a message."""
    message = HandCommandMessage(
        header=header(command.issued_ns),
        capture_stamp=time_message(command.capture_ns or 0),
        state=teleop_state_message(command.phase, command.reason, command.issued_ns),
        names=list(command.joint_names),
        first_for_capture=bool(command.first_for_capture),
    )
    message.positions.extend(np.asarray(command.positions, float).tolist())
    message.velocities.extend(np.asarray(command.velocities, float).tolist())
    return message


def command_from_message(message: HandCommandMessage) -> HandCommand:
    """The command in a message.

    Raises:
        InputError: Lengths differ or the state is unknown.
    """
    if not len(message.names) == len(message.positions) == len(message.velocities):
        raise InputError("a hand command's names, positions and velocities differ in number")
    try:
        phase = TeleopPhase(message.state.state)
    except ValueError:
        raise InputError(f"hand command has state {message.state.state}; valid: 0 to 4") from None
    return HandCommand(
        issued_ns=nanoseconds(message.header.stamp),
        capture_ns=nanoseconds(message.capture_stamp) or None,
        phase=phase,
        reason=message.state.reason,
        joint_names=tuple(message.names),
        positions=np.array(message.positions, float),
        velocities=np.array(message.velocities, float),
        first_for_capture=bool(message.first_for_capture),
    )


def joint_state(
    stamp_ns: int,
    names: Sequence[str],
    positions: ArrayLike,
    velocities: ArrayLike,
    efforts: ArrayLike | None = None,
) -> JointState:
    """A sensor_msgs/JointState of arrays (n,): radians, radians a second, newton metres."""
    message = JointState(header=header(stamp_ns), name=list(names))
    message.position.extend(np.asarray(positions, float).tolist())
    message.velocity.extend(np.asarray(velocities, float).tolist())
    if efforts is not None:
        message.effort.extend(np.asarray(efforts, float).tolist())
    return message


def output_to_message(output: Output, issued_ns: int) -> Any:
    """A command in the receiver's form, as the message of that form.

    Args:
        output: What `rejshand_ros.command.outputs.format_command` gives.
        issued_ns: Time of issue, nanoseconds.
    """
    if isinstance(output, MultiArrayOutput):
        message = Float64MultiArray()
        message.data.extend(output.data)
        return message
    if isinstance(output, JointStateOutput):
        return joint_state(issued_ns, output.names, output.positions, output.velocities)
    point = JointTrajectoryPoint(time_from_start=duration_message(output.time_from_start_s))
    point.positions.extend(output.positions)
    # A stamp of zero means "from receipt on". Counted from the time of issue, the point would lie
    # in the past for a driver that is a little late or has a clock of its own, and be refused.
    return JointTrajectory(joint_names=list(output.names), points=[point])


COMMAND_FORMS = {
    OutputForm.JOINT_STATE.value: JointState,
    OutputForm.FLOAT64_MULTI_ARRAY.value: Float64MultiArray,
    OutputForm.JOINT_TRAJECTORY.value: JointTrajectory,
}
"""Parameter value -> message type of `joint_command`."""
COMMAND_TYPES = {
    form: f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
    for form, kind in COMMAND_FORMS.items()
}
"""Parameter value -> name of that type."""


def positions_from_form(message: Any, names: Sequence[str]) -> Array:
    """Joint positions (n,) in the order of `names`, from whichever form a command took.

    Raises:
        InputError: Joints are missing or named twice, names and positions differ in number, or a
            position is not finite.
    """
    if isinstance(message, Float64MultiArray):
        given_names: Sequence[str] = tuple(names)
        values = np.array(message.data, float)
    elif isinstance(message, JointTrajectory):
        if not message.points:
            raise InputError("joint trajectory without points")
        given_names, values = message.joint_names, np.array(message.points[-1].positions, float)
    else:
        given_names, values = message.name, np.array(message.position, float)
    by_name = values_by_name(given_names, values.tolist(), names, "joint command")
    missing = [name for name in names if name not in by_name]
    if missing:
        raise InputError(f"joint command lacks {', '.join(missing)}; it must name every joint")
    positions = np.array([by_name[name] for name in names])
    if not np.isfinite(positions).all():
        raise InputError("joint command holds positions that are not finite")
    return positions
