"""One reader of URDFs for limits and shapes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.urdf import read_urdf

LINKS = '<link name="a"/><link name="b"/>'
JOINT = (
    '<joint name="j" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
    '<limit lower="{lower}" upper="1" effort="2" velocity="3"/></joint>'
)


def joint(kind: str = "revolute", parent: str = "a", child: str = "b", lower: str = "0") -> str:
    return JOINT.format(kind=kind, parent=parent, child=child, lower=lower)


def written(folder: Path, body: str) -> Path:
    path = folder / "hand.urdf"
    path.write_text(f"<robot name='x'>{body}</robot>")
    return path


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (LINKS + joint(lower="2"), "limits of joint j are reversed"),
        (LINKS + joint(lower="nan"), "joint j lacks limits"),
        (LINKS + joint(lower="low"), "joint j lacks limits"),
        (LINKS + joint().replace('effort="2" ', ""), "joint j lacks limits"),
        (LINKS + joint(child="c"), "no link 'c'"),
        (LINKS + joint().replace('<parent link="a"/>', ""), "no link ''"),
        (LINKS + joint(kind="floating"), "joint j is 'floating'; valid: revolute"),
        (LINKS, "root links are a, b"),
        (LINKS + joint() + joint(parent="b", child="a"), "root links are none"),
        (LINKS + joint() + joint(), "hangs on j and j"),
        (
            LINKS
            + '<link name="root"/>'
            + joint()
            + joint(parent="b", child="a").replace('"j"', '"k"'),
            "loop",
        ),
        ('<link name="a"><visual><geometry><box size="1 2"/></geometry></visual></link>', "finite"),
        ('<link name="a"><visual><geometry><cone/></geometry></visual></link>', "no geometry of"),
        ("<link/>", "no name"),
        ('<material name="m"><color rgba="0 0 1e999 1"/></material>', "4 finite numbers"),
        ('<material name="m"><color rgba="0.4.47"/></material>', "could not convert"),
        ('<material name="m"><color/></material>', "4 finite numbers"),
    ],
)
def test_wrong_urdfs_are_refused(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_urdf(written(tmp_path, body))


@pytest.mark.parametrize("encoding", ["uvf-8", "utf-7", "shift_jis", "punycode"])
def test_unknown_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "hand.urdf"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><robot name="x"/>')
    with pytest.raises(ModelFileError, match=r"hand\.urdf"):
        read_urdf(path)


def test_missing_or_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        read_urdf(tmp_path / "none.urdf")
    other = tmp_path / "other.urdf"
    other.write_text("no xml")
    with pytest.raises(ModelFileError, match="not XML"):
        read_urdf(other)
    other.write_text("<sdf/>")
    with pytest.raises(ModelFileError, match="<robot> is needed"):
        read_urdf(other)


def test_a_missing_mesh_matters_only_to_who_needs_shapes(tmp_path: Path) -> None:
    body = '<link name="a"><visual><geometry><mesh filename="a.stl"/></geometry></visual></link>'
    urdf = read_urdf(written(tmp_path, body))
    assert urdf.links["a"].visuals[0].mesh == tmp_path / "a.stl"
    with pytest.raises(ModelFileError, match=r"mesh .*a\.stl of link a is missing"):
        urdf.check_meshes()


def test_limits_shapes_and_the_tree_are_read(tmp_path: Path) -> None:
    body = (
        '<material name="red"><color rgba="1 0 0 1"/></material>'
        '<link name="a"><collision><origin xyz="1 2 3" rpy="0 0 1.5707963267948966"/>'
        '<geometry><sphere radius="0.5"/></geometry><material name="red"/></collision></link>'
        '<link name="b"/><link name="c"/>'
        + joint(lower="-1")
        + '<joint name="f" type="fixed"><parent link="b"/><child link="c"/></joint>'
    )
    urdf = read_urdf(written(tmp_path, body))
    assert urdf.root_link == "a"
    assert tuple(urdf.joints) == ("j",)
    limits = urdf.joints["j"]
    assert (limits.lower, limits.upper, limits.effort, limits.velocity) == (-1, 1, 2, 3)
    assert urdf.joints_above("c") == ("j",)
    assert urdf.joints_above("a") == ()
    shape = urdf.links["a"].collisions[0]
    assert (shape.kind, shape.size, shape.colour) == ("sphere", (0.5,), (1, 0, 0, 1))
    np.testing.assert_allclose(shape.link_from_shape.apply(np.array([1.0, 0, 0])), [1, 3, 3])
    with pytest.raises(ConfigError, match=r"d.*valid: a, b, c"):
        urdf.check_link("d", "somewhere")
    with pytest.raises(ConfigError, match=r"f.*valid: j"):
        urdf.check_joint("f", "somewhere")
