"""Procgen's C library: where the wheel keeps it, and its functions as ctypes sees them.

Only `libenv.so` and the art of the wheel `procgen-mirror` are used. Its Python code, which pins
numpy below 2, is never imported. The C interface is gym3's `libenv.h`, version 1.
"""

import ctypes
import functools
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WHEEL = "procgen-mirror"
INSTALL_LINE = f"pip install --no-deps {WHEEL}"
LAST_PYTHON_WITH_WHEEL = (3, 12)
LIBENV_VERSION = 1

_UINT8, _INT32 = 1, 2
_MAX_NAME_LENGTH = 128


class MissingProcgenError(ImportError):
    """Procgen's C library is not installed, or cannot run on this machine."""


class Option(ctypes.Structure):
    """One named option of `libenv_make`."""

    _fields_ = (
        ("name", ctypes.c_char * _MAX_NAME_LENGTH),
        ("dtype", ctypes.c_int),
        ("count", ctypes.c_int),
        ("data", ctypes.c_void_p),
    )


class Options(ctypes.Structure):
    """All options of `libenv_make`."""

    _fields_ = (("items", ctypes.POINTER(Option)), ("count", ctypes.c_int))


class Buffers(ctypes.Structure):
    """Where the library writes what it observes and reads the actions."""

    _fields_ = (
        ("observation", ctypes.POINTER(ctypes.c_void_p)),
        ("reward", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("info", ctypes.POINTER(ctypes.c_void_p)),
        ("action", ctypes.POINTER(ctypes.c_void_p)),
    )


class InstalledFiles(NamedTuple):
    """The two parts of the wheel that are used."""

    library: Path
    assets: Path


def install_lines() -> str:
    """What to type to install the library for the running Python."""
    if sys.version_info[:2] <= LAST_PYTHON_WITH_WHEEL:
        return INSTALL_LINE
    python = ".".join(map(str, LAST_PYTHON_WITH_WHEEL))
    return (
        f"{INSTALL_LINE} --only-binary=:all: --python-version {python} --implementation cp"
        f" --abi cp{python.replace('.', '')}"
        ' --target "$(python -c \'import sysconfig; print(sysconfig.get_path("purelib"))\')"'
    )


def _missing(reason: str) -> MissingProcgenError:
    return MissingProcgenError(
        f"{reason}; `procgen:` environments need the C library of the wheel {WHEEL} "
        "(`coinrun` needs it only to build its sprite atlas). Install it with\n"
        f"  {install_lines()}"
    )


def installed_files() -> InstalledFiles:
    """Finds the library and its art without importing the wheel's Python code.

    Raises:
      MissingProcgenError: if this is not Linux on x86-64, or the wheel is not installed.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise MissingProcgenError(
            f"Procgen's C library exists only for Linux on x86-64; this is {sys.platform} on "
            f"{platform.machine()}. Use such a machine (a container or a remote one) instead"
        )
    folders = _package_folders()
    for folder in folders:
        files = InstalledFiles(
            library=folder / "data" / "prebuilt" / "libenv.so", assets=folder / "data" / "assets"
        )
        if files.library.is_file() and files.assets.is_dir():
            return files
    if folders:
        raise _missing(f"the package procgen in {folders[0]} has no data/prebuilt/libenv.so")
    raise _missing("Procgen is not installed")


def installed_art() -> Path:
    """The folder of the wheel's pictures, which are of use on any machine.

    Raises:
      MissingProcgenError: if they are not installed.
    """
    for folder in _package_folders():
        art = folder / "data" / "assets"
        if art.is_dir():
            return art
    raise _missing("Procgen's art is not installed")


def _package_folders() -> list[Path]:
    spec = importlib.util.find_spec("procgen")
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


class Library:
    """The loaded library and the art that it draws with in this process.

    Attributes:
      functions: the C functions, with their signatures declared.
    """

    def __init__(self, functions: ctypes.CDLL, installed_art: Path):
        self.functions = functions
        self._installed_art = installed_art
        self._art: Path | None = None

    def choose_art(self, resource_root: str | None) -> str:
        """The `resource_root` for the next environment.

        The library reads its art for the first environment of a process and keeps it.

        Args:
          resource_root: a folder with the user's own art; None means the wheel's.

        Raises:
          ValueError: if the folder lacks a picture, or the process already draws with other art.
        """
        art = self._installed_art if resource_root is None else Path(resource_root).resolve()
        if self._art not in (None, art):
            raise ValueError(
                f"this process already draws Procgen with the art in {self._art}, and the library "
                f"loads art only once; use another process for {art}"
            )
        if art != self._installed_art:
            self._check_pictures(art)
        self._art = art
        return f"{art}{os.sep}"

    def _check_pictures(self, art: Path) -> None:
        names = sorted(path.relative_to(self._installed_art) for path in self._pictures())
        bad = [str(name) for name in names if not _is_whole_png(art / name)]
        if bad:
            raise ValueError(
                f"resource_root {art} lacks {len(bad)} of {len(names)} PNG files, the first "
                f"{bad[0]}; copy {self._installed_art} and change pictures in the copy"
            )

    def _pictures(self) -> Iterator[Path]:
        return self._installed_art.rglob("*.png")


def _is_whole_png(path: Path) -> bool:
    if not path.is_file():
        return False
    data = path.read_bytes()
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82")


@functools.cache
def load() -> Library:
    """Loads the library once in this process and declares its functions.

    Raises:
      MissingProcgenError: if it is not installed or cannot be loaded.
    """
    path, art = installed_files()
    try:
        # DEEPBIND keeps the bundled Qt apart from a Qt that the process may already hold.
        functions = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
    except OSError as error:
        raise _missing(f"{path} cannot be loaded ({error})") from error
    handle, integer = ctypes.c_void_p, ctypes.c_int
    signatures = {
        "libenv_version": (integer, ()),
        "libenv_make": (handle, (integer, Options)),
        "libenv_set_buffers": (None, (handle, ctypes.POINTER(Buffers))),
        "libenv_observe": (None, (handle,)),
        "libenv_act": (None, (handle,)),
        "libenv_close": (None, (handle,)),
        "get_state": (integer, (handle, integer, ctypes.c_void_p, integer)),
        "set_state": (None, (handle, integer, ctypes.c_char_p, integer)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    version = functions.libenv_version()
    if version != LIBENV_VERSION:
        raise _missing(f"{path} speaks libenv {version}, not {LIBENV_VERSION}")
    return Library(functions, art.resolve())


def pack_options(options: dict[str, str | int | bool]) -> tuple[Options, list[object]]:
    """Options as `libenv_make` takes them, and the memory they point to.

    Strings and bools travel as bytes, integers as int32. Keep the second value alive until
    `libenv_make` has returned.
    """
    items = (Option * len(options))()
    memory: list[object] = [items]
    for item, (name, value) in zip(items, options.items(), strict=True):
        if isinstance(value, str):
            data = ctypes.create_string_buffer(value.encode())
            item.dtype, item.count = _UINT8, len(data) - 1
        elif isinstance(value, bool):
            data = ctypes.c_uint8(value)
            item.dtype, item.count = _UINT8, 1
        else:
            data = ctypes.c_int32(value)
            item.dtype, item.count = _INT32, 1
        item.name = name.encode()
        item.data = ctypes.addressof(data)
        memory.append(data)
    return Options(items=items, count=len(options)), memory


def pack_pointers(*arrays) -> ctypes.Array[ctypes.c_void_p]:
    """Pointers to the rows of arrays, all rows of the first array before those of the second."""
    addresses = [a.ctypes.data + row * a.strides[0] for a in arrays for row in range(len(a))]
    return (ctypes.c_void_p * len(addresses))(*addresses)
