"""Pickles of plain data are read, and nothing in any other is run."""

import codecs
import collections
import io
import os
import pickle
import random
import subprocess
import sys

import joblib
import numpy as np
import pytest

from rlvision_jax.checkpoint import CheckpointError, jd_pickle, load_jd
from rlvision_jax.checkpoint.jd_pickle import read_pickle


def plain_data():
    shared = np.arange(4.0)
    return {
        "args": {"game": "coinrun", "rate": 5e-4, "big": 2**70, "small": -3, "none": None},
        "switches": [True, False],
        "nested": {"tuple": (1, (2.5, "å")), "bytes": b"\x00\xff", 7: [], "empty": ((), {})},
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "every second": np.arange(10)[::2],
        "big endian": np.arange(3, dtype=">i4"),
        "bool": np.array([True, False]),
        "text": np.array(["one", "three"]),
        "no axis": np.array(3.5),
        "no entry": np.zeros((0, 3)),
        "scalar": np.float32(1.5),
        "switch": np.bool_(True),
        "twice": [shared, shared],
    }


def assert_equal(ours, expected):
    if isinstance(expected, dict):
        assert list(ours) == list(expected)
        for key in expected:
            assert_equal(ours[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert type(ours) is type(expected)
        for our, other in zip(ours, expected, strict=True):
            assert_equal(our, other)
    else:
        assert type(ours) is type(expected)
        np.testing.assert_array_equal(ours, expected)
        if isinstance(expected, np.ndarray):
            assert ours.dtype == expected.dtype.newbyteorder("=")
            assert ours.flags.writeable


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_joblib_writes_is_read(protocol):
    file = io.BytesIO()
    joblib.dump(plain_data(), file, protocol=protocol)
    assert_equal(read_pickle(file.getvalue(), "file"), plain_data())


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_what_pickle_writes_is_read(protocol):
    payload = pickle.dumps(plain_data(), protocol=protocol)
    assert_equal(read_pickle(payload, "file"), plain_data())


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_malice_is_found_behind_every_compression(compress, tmp_path, attack):
    path = tmp_path / "evil.jd"
    joblib.dump({"args": {}, "params": {"x": attack.value}}, path, compress=compress)
    attack.assert_refused(path)


class Attack:
    """A value that makes a file when Python unpickles it."""

    def __init__(self, marker):
        self.marker = marker
        self.value = Calls(exec, f"open({str(marker)!r}, 'w').close()")

    def assert_works_on(self, load, payload):
        """The attack is one: an unrestricted loader falls for it."""
        load(payload)
        assert self.marker.exists()
        self.marker.unlink()

    def assert_refused(self, path, culprit="builtins.exec"):
        with pytest.raises(CheckpointError) as error_info:
            load_jd(path)
        assert culprit in str(error_info.value)
        assert str(path) in str(error_info.value)
        assert not self.marker.exists()


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments, state=None):
        self._reduced = (function, arguments, *([] if state is None else [state]))

    def __reduce__(self):
        return self._reduced


@pytest.fixture
def attack(tmp_path):
    return Attack(tmp_path / "it ran")


def calls_that_make_a_file(marker):
    """Pickles, each with the name that betrays it."""
    create = f"open({str(marker)!r}, 'w').close()"
    command = f"touch '{marker}'"
    return {
        "posix.system": Calls(os.system, command),
        "builtins.eval": Calls(eval, create),
        "builtins.exec": Calls(exec, create),
        "subprocess.Popen": Calls(subprocess.Popen, ["touch", str(marker)]),
        "io.open": Calls(open, str(marker), "w"),
        # A function that an allowed package offers, and one that its arrays have.
        "numpy.memmap": Calls(np.memmap, str(marker), "uint8", "w+", 0, (1,)),
        "numpy.save": Calls(np.save, marker, np.zeros(1)),
        "numpy.fromfile": Calls(np.fromfile, str(marker)),
        "builtins.getattr": Calls(getattr, np.zeros(1), "tofile"),
        "codecs.open": Calls(codecs.open, str(marker), "w"),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("culprit", calls_that_make_a_file("x"))
def test_a_call_is_refused_by_the_name_of_what_it_calls(culprit, protocol, tmp_path, attack):
    evil = calls_that_make_a_file(attack.marker)[culprit]
    path = tmp_path / "evil.jd"
    path.write_bytes(pickle.dumps({"args": {}, "params": {"x": evil}}, protocol=protocol))
    # The older protocol has the names of Python 2.
    names = {"builtins": "__builtin__", "subprocess": "commands"} if protocol == 2 else {}
    module, _, name = culprit.partition(".")
    attack.assert_refused(path, f"{names.get(module, module)}.{name}")


def test_the_attacks_are_attacks(attack):
    for culprit in ("posix.system", "builtins.eval", "builtins.exec"):
        evil = calls_that_make_a_file(attack.marker)[culprit]
        attack.assert_works_on(pickle.loads, pickle.dumps(evil))


@pytest.mark.parametrize("dtype", [object, [("x", object)]])
def test_malice_inside_an_array_of_objects_is_not_reached(dtype, tmp_path, attack):
    path = tmp_path / "evil.jd"
    array = np.empty(1, dtype)
    array[0] = attack.value if dtype is object else (attack.value,)
    joblib.dump({"args": {}, "params": {"x": array}}, path)
    attack.assert_works_on(joblib.load, path)
    attack.assert_refused(path, "object" if dtype is object else "V8")


def command_of(marker):
    return f"touch '{marker}'".encode()


# Written by hand: what a pickler would not write. {} is the command that makes the file.
TRICKS = {
    "a call without a call instruction": (b"(V{}\nios\nsystem\n.", "os.system"),
    "an object made by calling its class": (b"(cos\nsystem\nV{}\no.", "os.system"),
    "a name from the stack": (b"\x80\x04Vos\nVsystem\n\x93V{}\n\x85R.", "os.system"),
    "a name with dots": (
        b"\x80\x04Vnumpy\nVcore.multiarray._reconstruct\n\x93.",
        "numpy.core.multiarray._reconstruct",
    ),
    "an attribute of an allowed name": (
        b"\x80\x04Vnumpy\nVndarray.tofile\n\x93.",
        "numpy.ndarray.tofile",
    ),
    "a persistent identifier": (b"P{}\n.", "PERSID"),
    "a persistent identifier from the stack": (b"V{}\nQ.", "BINPERSID"),
    "an extension by number": (b"\x82\x01.", "EXT1"),
    "a state of something finished": (b"}(V__reduce__\nV{}\ndb.", "state of a dict"),
    "a state of an allowed class": (b"cnumpy\nndarray\n(V__init__\nV{}\ndb.", "state of a Name"),
    "a new object of an allowed class": (b"\x80\x02cnumpy\nndarray\n)\x81.", "new numpy.ndarray"),
    "a new object with keywords": (b"\x80\x04cnumpy\ndtype\n)}\x92.", "NEWOBJ_EX"),
    "a call of an allowed class": (
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n(V{}\ntR.",
        "joblib's array",
    ),
    "a call of data": (b"V{}\n)R.", "calls a str"),
    "a call of an argument": (b"cnumpy\ndtype\n(V{}\nlR.", "numpy.dtype"),
    "an array of a class of its own": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cos\n_wrap_close\n(I0\ntVb\ntR.",
        "os._wrap_close",
    ),
    "an array of an allowed class that is none": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntVb\ntR.",
        "numpy's _reconstruct",
    ),
    "a data type with objects inside": (b"cnumpy\ndtype\n(Vf4,O\nI0\nI1\ntR.", "f4,O"),
    "a coder that is not latin1": (b"c_codecs\nencode\n(V{}\nVrot13\ntR.", "bytes as text"),
    "an ordered dictionary of calls": (b"ccollections\nOrderedDict\n((V{}\nltR.", "OrderedDict"),
    "a set, whose entries are hashed": (b"\x80\x04\x8f.", "EMPTY_SET"),
    "a key that takes for ever to hash": (b"})\x85I1\ns.", "a tuple as a key"),
    "a text of Python 2": (b"S'x'\n.", "STRING"),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_refused_and_named(trick, tmp_path, attack):
    payload, culprit = TRICKS[trick]
    path = tmp_path / "evil.jd"
    path.write_bytes(payload.replace(b"{}", command_of(attack.marker)))
    attack.assert_refused(path, culprit)


def test_a_name_is_not_even_imported():
    assert "this" not in sys.modules
    with pytest.raises(CheckpointError, match=r"refers to this\.s; expected NumPy arrays"):
        read_pickle(b"cthis\ns\n.", "file")
    assert "this" not in sys.modules


def test_another_class_of_arrays_is_refused(tmp_path, attack):
    file = io.BytesIO()
    joblib.dump(np.zeros(2, np.float32), file)
    path = tmp_path / "evil.jd"
    # joblib makes an array of this class of what it has read.
    path.write_bytes(file.getvalue().replace(b"\x8c\x07ndarray", b"\x8c\x06matrix"))
    attack.assert_refused(path, "numpy.matrix")


def small_file():
    file = io.BytesIO()
    joblib.dump({"a": np.arange(5.0), "b": [1, "two", None], "c": np.float64(3)}, file)
    return file.getvalue()


def test_every_truncation_is_an_error():
    payload = small_file()
    for length in range(len(payload)):
        with pytest.raises(CheckpointError, match="file"):
            read_pickle(payload[:length], "file")


def test_damage_gives_data_or_the_error_and_nothing_else():
    payload, choice = small_file(), random.Random(0)
    errors = 0
    for _ in range(500):
        damaged = bytearray(payload)
        for _ in range(choice.randint(1, 3)):
            damaged[choice.randrange(len(damaged))] = choice.randrange(256)
        try:
            read_pickle(bytes(damaged), "file")
        except CheckpointError:
            errors += 1
    # Most bytes are instructions, names and lengths; the rest are numbers.
    assert 150 < errors < 500


def test_an_array_larger_than_the_file_is_an_error():
    file = io.BytesIO()
    joblib.dump(np.zeros((3, 5), np.float32), file, protocol=2)
    for shape in (b"K\xffK\xff", b"J\xff\xff\xff\x7fK\x05"):
        payload = file.getvalue().replace(b"K\x03K\x05", shape)
        with pytest.raises(CheckpointError, match=r"is damaged, or no pickle: .* bytes for an"):
            read_pickle(payload, "file")


def test_bytes_named_again_and_again_do_not_fill_the_memory():
    numbers = bytes(8000)

    def pickled(count):
        """Arrays of the same bytes, which the pickle holds once."""
        begin, _, _ = np.zeros(0).__reduce__()
        state = (1, (1000,), np.dtype("f8"), False, numbers)
        arrays = [Calls(begin, np.ndarray, (0,), b"b", state=state) for _ in range(count)]
        return pickle.dumps(arrays, protocol=3)

    assert read_pickle(pickled(1), "file")[0].shape == (1000,)
    assert len(pickled(3)) < 9000
    with pytest.raises(CheckpointError, match="file has arrays of more bytes than itself"):
        read_pickle(pickled(3), "file")


def test_endless_programs_are_stopped(monkeypatch):
    monkeypatch.setattr(jd_pickle, "_MOST_INSTRUCTIONS", 100)
    with pytest.raises(CheckpointError, match="file has more than 100 instructions"):
        read_pickle(b"]0" * 100 + b"N.", "file")


def test_a_file_of_something_else_is_an_error():
    for payload in (b"", b"hello", b"\x93NUMPY", b"PK\x03\x04", b"NN.", b"(.", b"h\x07.", b"a."):
        with pytest.raises(CheckpointError, match=r"file is damaged, or no pickle|file uses the"):
            read_pickle(payload, "file")
