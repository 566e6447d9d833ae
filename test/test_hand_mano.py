"""MANO files of every layout are read, and nothing in a file is ever run."""

import collections
import io
import os
import pickle
import resource
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from rejshand_ros.errors import ModelFileError
from rejshand_ros.hand.mano import MANO_FINGERTIPS, load_mano
from rejshand_ros.hand.restricted_pickle import read_pickled_arrays


def arrays():
    """A file's content with MANO's shapes and made-up numbers."""
    rng = np.random.default_rng(0)
    regressor = np.zeros((16, 778))
    for row in regressor:
        row[rng.integers(0, 778, 30)] = rng.random(30)
    regressor /= regressor.sum(axis=1, keepdims=True)
    weights = rng.random((778, 16))
    parents = [4294967295, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    return {
        "v_template": rng.normal(size=(778, 3)),
        "shapedirs": rng.normal(size=(778, 3, 10)),
        "posedirs": np.asfortranarray(rng.normal(size=(778, 3, 135))),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": rng.integers(0, 778, (1538, 3)).astype(np.uint32),
        "kintree_table": np.array([parents, range(16)], np.int64),
        "hands_mean": rng.normal(size=45),
        "hands_components": rng.normal(size=(45, 45)),
    }


EXPECTED = arrays()


def assert_is_expected(model):
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "hands_mean"):
        np.testing.assert_array_equal(getattr(model, name), EXPECTED[name])
    np.testing.assert_array_equal(model.faces, EXPECTED["f"])
    assert model.parents[0] == -1
    assert model.parents[15] == 14


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(arrays(), protocol=protocol))
    assert_is_expected(load_mano(path))


@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array"])
def test_sparse_regressors(tmp_path, kind):
    content = arrays()
    content["J_regressor"] = getattr(sparse, kind)(content["J_regressor"])
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    assert_is_expected(load_mano(path))


@pytest.fixture
def chumpy():
    """A stand-in with chumpy's names and the state that its arrays are pickled with."""

    class Ch:
        def __init__(self, x):
            self.__dict__.update(x=x, _dirty_vars=set(), _status="new")

    class Select:
        def __init__(self, a, idxs, preferred_shape):
            self.__dict__.update(a=a, idxs=idxs, preferred_shape=preferred_shape)

    package, ch, reordering = (
        types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")
    )
    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    Select.__module__, Select.__qualname__ = "chumpy.reordering", "Select"
    ch.Ch, reordering.Select = Ch, Select
    modules = {"chumpy": package, "chumpy.ch": ch, "chumpy.reordering": reordering}
    sys.modules.update(modules)
    yield types.SimpleNamespace(Ch=Ch, Select=Select)
    for name in modules:
        del sys.modules[name]


@pytest.mark.parametrize("protocol", [0, 2])
def test_official_layout_is_read_without_chumpy(tmp_path, chumpy, protocol):
    content = arrays()
    content["J_regressor"] = sparse.csc_matrix(content["J_regressor"])
    content["bs_style"], content["bs_type"] = "lbs", "lrotmin"
    content["names"] = np.array(["wrist", None], object)
    content["v_template"] = chumpy.Ch(content["v_template"])
    wide = np.concatenate([content["shapedirs"], np.zeros((778, 3, 5))], axis=2)
    index = np.arange(wide.size).reshape(wide.shape)[:, :, :10].ravel()
    content["shapedirs"] = chumpy.Select(chumpy.Ch(wide), index, (778, 3, 10))
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    saved = {name: sys.modules.pop(name) for name in list(sys.modules) if "chumpy" in name}
    try:
        assert_is_expected(load_mano(path))
    finally:
        sys.modules.update(saved)


def test_python_2_strings_and_old_module_names(tmp_path):
    numbers = np.arange(300.0)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x14K\x0ftcnumpy\ndtype\n(U\x02f8K\x00K\x01tR"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x88"
    )
    array += b"T" + struct.pack("<i", numbers.nbytes) + numbers.tobytes() + b"tb"
    path = tmp_path / "old.pkl"
    path.write_bytes(b"\x80\x02}U\x01a" + array + b"s.")
    found = read_pickled_arrays(path)["a"]
    np.testing.assert_array_equal(found, numbers.reshape(20, 15, order="F"))


def test_big_endian(tmp_path):
    content = arrays()
    content["v_template"] = content["v_template"].astype(">f8")
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content))
    assert_is_expected(load_mano(path))


def test_npz(tmp_path):
    path = tmp_path / "mano.npz"
    np.savez(path, **arrays())
    assert_is_expected(load_mano(path))


def test_keypoint_regressor_ends_in_single_vertices(tmp_path):
    path = tmp_path / "mano.npz"
    np.savez(path, **arrays())
    regressor = load_mano(path).keypoint_regressor()
    assert regressor.shape == (21, 778)
    np.testing.assert_allclose(regressor.sum(axis=1), 1)
    assert [int(regressor[tip].argmax()) for tip in (4, 8, 12, 16, 20)] == list(MANO_FINGERTIPS)
    np.testing.assert_array_equal(regressor[1], EXPECTED["J_regressor"][13])


class _Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "attack",
    [
        lambda mark: _Runs(os.mkdir, mark),
        lambda mark: _Runs(os.system, f"touch {mark}"),
        lambda mark: _Runs(eval, f"open({mark!r}, 'w')"),
        lambda mark: _Runs(exec, f"open({mark!r}, 'w')"),
        lambda mark: _Runs(getattr, "x", "join"),
        lambda mark: _Runs(Path.touch, Path(mark)),
        lambda mark: _Runs(np.save, mark, np.zeros(2)),
        lambda mark: _Runs(io.open, mark, "w"),
        lambda mark: collections.OrderedDict(a=1),
    ],
)
def test_files_that_ask_for_more_than_data_are_refused_and_not_run(tmp_path, protocol, attack):
    mark = str(tmp_path / "mark")
    content = arrays()
    content["extra"] = attack(mark)
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(ModelFileError, match=r"evil\.pkl"):
        load_mano(path)
    assert not Path(mark).exists()


@pytest.mark.parametrize(
    "stream",
    [
        b"cos\nsystem\n(S'echo hi'\ntR.",
        b"(S'echo hi'\nios\nsystem\n.",  # INST
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02hi\x85R.",
        b"cposix\nsystem\n.",
        b"Pelsewhere\n.",  # persistent identifier
        b"\x80\x02\x82\x01.",  # extension registry
        b"ccopyreg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
        b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a bytearray of 2^63 bytes
        b"\x80\x04r\xff\xff\xff\xff.",  # memo index 2^32 - 1
        b"",
        b".",
        b"]q\x00h\x00a.",  # a list that holds itself
        b"not a pickle at all",
    ],
)
def test_forged_streams(tmp_path, stream):
    path = tmp_path / "forged.pkl"
    path.write_bytes(stream)
    with pytest.raises(ModelFileError, match=r"forged\.pkl"):
        load_mano(path)


SMALL = pickle.dumps(
    {
        "a": np.arange(6.0).reshape(2, 3),
        "s": sparse.csc_matrix(np.eye(3)),
        "n": np.array([1, "x"], object),
    },
    protocol=2,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damaged_bytes_end_in_an_answer_or_one_error(tmp_path, data):
    stream = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.pkl"
    path.write_bytes(stream[: data.draw(st.integers(0, len(stream)))])
    try:
        found = read_pickled_arrays(path)
    except ModelFileError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


@pytest.mark.parametrize("suffix", ["pkl", "npz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_files_cut_short(tmp_path, suffix, share):
    path = tmp_path / f"short.{suffix}"
    if suffix == "npz":
        np.savez(path, **arrays())
    else:
        path.write_bytes(pickle.dumps(arrays()))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelFileError, match="short"):
        load_mano(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v_template", np.zeros((777, 3)), r"v_template has shape \(777, 3\)"),
        ("v_template", np.full((778, 3), np.nan), "v_template is not finite"),
        ("f", np.full((1538, 3), 778), "f names vertices"),
        ("kintree_table", np.ones((2, 16)), "kintree_table is no tree"),
        ("weights", None, "lacks weights"),
        ("weights", np.array(["a"], object), "lacks weights"),
    ],
)
def test_other_models_are_refused(tmp_path, name, value, message):
    content = arrays()
    content[name] = value
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ModelFileError, match=message):
        load_mano(path)


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load_mano(tmp_path / "MANO_RIGHT.pkl")
    with pytest.raises(ModelFileError, match="does not exist"):
        load_mano(tmp_path / "mano.npz")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_forged_size_makes_no_room(tmp_path):
    path = tmp_path / "hand.pkl"
    path.write_bytes(b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b"short.")
    before = peak_mb()
    with pytest.raises(ModelFileError, match="8589934592 bytes are claimed"):
        read_pickled_arrays(path)
    assert peak_mb() - before < 100


@pytest.mark.parametrize("use", [b"}h\x00Ns.", b"}(h\x00Nu.", b"(h\x00Nd.", b"\x8f(h\x00\x90."])
def test_tuples_within_tuples_are_not_hashed(tmp_path, use):
    path = tmp_path / "hand.pkl"
    # Each holds the one before twice: 2 to the power of 60 members, in 360 bytes.
    path.write_bytes(b"\x80\x04)q\x00" + b"0h\x00h\x00\x86q\x00" * 60 + b"0" + use)
    with pytest.raises(ModelFileError, match="a tuple is a key or a member of a set"):
        read_pickled_arrays(path)
