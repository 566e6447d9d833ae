"""Drivers of real hands: the shipped ones fit their hands, wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rejshand_ros.command.driver import driver_names, load_driver, load_drivers
from rejshand_ros.command.outputs import OutputForm
from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.resources import resource_path


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("name", ["allegro_v4", "allegro_v5", "shadow"])
def test_shipped_drivers_fit_their_hands(name: str, side: Side) -> None:
    assert name in driver_names()
    driver = load_driver(name, side)
    assert driver.command_topic.startswith("/")
    assert "{" not in driver.command_topic + "".join(driver.joints)


def test_wonik_takes_a_bare_array_in_its_order() -> None:
    driver = load_driver("allegro_v4", Side.RIGHT)
    assert driver.command_form is OutputForm.FLOAT64_MULTI_ARRAY
    assert driver.command_topic == "/allegro_hand_position_controller/commands"
    assert (driver.joints[0], driver.joints[-1]) == ("ah_joint00", "ah_joint33")


def changed(tmp_path: Path, **changes: object) -> str:
    values = yaml.safe_load(resource_path("config/drivers/allegro_v4.yaml").read_text())
    values.update(changes)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
    return str(path)


def test_another_joint_order_is_refused_side_by_side(tmp_path: Path) -> None:
    joints = list(load_driver("allegro_v4", Side.RIGHT).joints)
    joints[0], joints[1] = joints[1], joints[0]
    with pytest.raises(ConfigError, match=r"ah_joint00 \| ah_joint01; ah_joint01 \| ah_joint00"):
        load_driver(changed(tmp_path, joints=joints), Side.RIGHT)
    with pytest.raises(ConfigError, match=r"ah_joint00 \| elbow"):
        load_driver(changed(tmp_path, joints=["elbow", *joints[2:]]), Side.RIGHT)


def test_two_hands_do_not_listen_to_one_topic(tmp_path: Path) -> None:
    both = load_drivers("shadow", list(Side))
    assert both[Side.LEFT].command_topic == "/lh_trajectory_controller/joint_trajectory"
    with pytest.raises(ConfigError, match="one command topic, /allegro_hand"):
        load_drivers("allegro_v4", list(Side))
    own = changed(tmp_path, command_topic="/{side}_hand/commands")
    assert load_drivers(own, list(Side))[Side.RIGHT].command_topic == "/right_hand/commands"
    assert list(load_drivers("allegro_v4", [Side.LEFT])) == [Side.LEFT]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 1}, "speed"),
        ({"command_topic": None}, "lacks command_topic"),
        ({"command_form": "floats"}, "joint_trajectory"),
        ({"joints": "ah"}, "no list"),
        ({"hand": "x"}, "allegro"),
    ],
)
def test_wrong_descriptions_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_driver(changed(tmp_path, **changes), Side.RIGHT)


def test_unknown_drivers_name_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="allegro_v4, allegro_v5, shadow"):
        load_driver("allegro_v9", Side.RIGHT)
    with pytest.raises(ConfigError, match="does not exist"):
        load_driver("none.yaml", Side.RIGHT)
