"""Assets: what they hold, their cache, and what happens where art or room is missing."""

import shutil

import numpy as np
import pytest
from PIL import Image

from rlvision_jax.envs.coinrun import art
from rlvision_jax.envs.coinrun.assets import load_assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.pictures import ATLAS_SIZE, BACKGROUND_PATHS, PICTURES
from rlvision_jax.envs.procgen_library import MissingProcgenError, installed_art

EASY = CoinRunConfig(distribution_mode="easy")


@pytest.fixture
def little_art(tmp_path):
    """A folder of art with backgrounds of 2 x 3 texels, quick to decode."""
    folder = tmp_path / "art"
    for picture in PICTURES:
        copy = folder / picture.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(installed_art() / picture.path, copy)
    for index, path in enumerate(BACKGROUND_PATHS):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 3), (index, 1, 2)).save(folder / path)
    return folder


def cache_files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_texels_are_those_of_the_files(load):
    config = CoinRunConfig()
    texels = np.asarray(load(config).texels)
    picture = PICTURES[-2]
    with Image.open(installed_art() / picture.path) as image:
        straight = np.asarray(image).reshape(-1, 4).astype(np.float64)
    stored = texels[picture.start : picture.start + len(straight), None].view(np.uint8)
    np.testing.assert_array_equal(stored[:, 3], straight[:, 3])
    # Rounding to the nearest, in Qt's cheaper way, which errs by 1/255 of a unit.
    exact = straight[:, :3] * straight[:, 3:] / 255
    assert np.abs(stored[:, :3] - exact).max() < 0.51
    backgrounds = load(config).backgrounds
    for index in (0, 20, 61):
        with Image.open(installed_art() / BACKGROUND_PATHS[index]) as image:
            colors = np.asarray(image.convert("RGBA"))[..., :3]
        assert colors.shape[1] == backgrounds.width[index]
        start = int(backgrounds.start[index])
        stored = texels[start : start + colors[..., 0].size, None].view(np.uint8)[:, :3]
        np.testing.assert_array_equal(stored, colors.reshape(-1, 3))


def test_backgrounds_that_are_not_shown_are_left_out(load):
    plain = load(CoinRunConfig(use_backgrounds=False))
    assert plain.texels.shape == (ATLAS_SIZE + 1,)
    assert load(EASY).texels.shape == (ATLAS_SIZE + 192 * 176,)


def test_small_assets_take_little_memory(tmp_path):
    small = load_assets(CoinRunConfig(), size="small", cache=tmp_path)
    assert small.texels.nbytes < 26e6
    # 1920 x 1080, shrunk to 236 rows.
    assert small.backgrounds.width[9] == 420


def test_all_backgrounds_can_be_had_in_easy_levels(little_art, tmp_path):
    every = load_assets(EASY, art=little_art, cache=tmp_path, all_backgrounds=True)
    assert len(every.backgrounds.start) == len(BACKGROUND_PATHS)
    assert every.texels.shape == (ATLAS_SIZE + 6 * len(BACKGROUND_PATHS),)


def test_the_cache_answers_as_the_files_do(little_art, tmp_path, monkeypatch):
    first = load_assets(CoinRunConfig(), art=little_art, cache=tmp_path / "cache")
    monkeypatch.setattr(art, "read", lambda *args, **options: pytest.fail("decoded again"))
    again = load_assets(CoinRunConfig(), art=little_art, cache=tmp_path / "cache")
    np.testing.assert_array_equal(first.texels, again.texels)
    np.testing.assert_array_equal(first.backgrounds.start, again.backgrounds.start)


def test_the_default_cache_lies_in_the_users_folder(little_art, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load_assets(EASY, art=little_art)
    (name,) = cache_files(tmp_path / "xdg" / "rlvision_jax")
    assert name.startswith("coinrun-exact-")


def test_other_art_is_decoded_into_another_file(little_art, tmp_path):
    cache = tmp_path / "cache"
    load_assets(EASY, art=little_art, cache=cache)
    Image.new("RGB", (2, 3), "red").save(little_art / BACKGROUND_PATHS[0])
    changed = load_assets(EASY, art=little_art, cache=cache)
    assert len(cache_files(cache)) == 2
    assert int(changed.texels[-1]) == 0xFF0000FF


@pytest.mark.parametrize("damage", ["cut short", "changed", "emptied"])
def test_damaged_files_of_the_cache_are_replaced(little_art, tmp_path, damage):
    cache = tmp_path / "cache"
    expected = load_assets(EASY, art=little_art, cache=cache)
    (path,) = cache.iterdir()
    whole = bytearray(path.read_bytes())
    if damage == "cut short":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "changed":
        whole[len(whole) // 2] ^= 1
        path.write_bytes(whole)
    else:
        path.write_bytes(b"")
    found = load_assets(EASY, art=little_art, cache=cache)
    np.testing.assert_array_equal(found.texels, expected.texels)
    assert [path] == list(cache.iterdir())
    art_of_cache = np.load(path)["atlas"]
    np.testing.assert_array_equal(art_of_cache, expected.texels[:ATLAS_SIZE])


def test_where_nothing_can_be_written_a_warning_is_given(little_art, tmp_path):
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be cached in .*file .*pass cache="):
        found = load_assets(EASY, art=little_art, cache=no_folder)
    assert found.texels.shape == (ATLAS_SIZE + 6,)


def test_a_full_disk_leaves_no_file_behind(little_art, tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        load_assets(EASY, art=little_art, cache=tmp_path / "cache")
    assert cache_files(tmp_path / "cache") == []


def test_missing_art_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingProcgenError, match=r"Install it with\n  pip install --no-deps"):
        load_assets(EASY)


def test_incomplete_art_is_named(little_art, tmp_path):
    (little_art / BACKGROUND_PATHS[3]).unlink()
    expected = rf"lacks 1 pictures of CoinRun, the first {BACKGROUND_PATHS[3]}"
    with pytest.raises(ValueError, match=expected):
        load_assets(EASY, art=little_art, cache=tmp_path)


@pytest.mark.parametrize(
    ("index", "image", "complaint"),
    [
        (
            0,
            Image.new("RGBA", (64, 128)),
            "must be 128 x 128 pixels, as Procgen's is; got 64 x 128",
        ),
        (2, Image.new("RGBA", (128, 128)), "must be opaque, as Procgen's is"),
    ],
)
def test_sprites_that_cannot_be_drawn_are_refused(little_art, tmp_path, index, image, complaint):
    image.save(little_art / PICTURES[index].path)
    with pytest.raises(ValueError, match=complaint):
        load_assets(EASY, art=little_art, cache=tmp_path)


def test_an_unknown_size_is_refused(as_in_production):
    with pytest.raises(ValueError, match="size"):
        load_assets(EASY, size="tiny")  # pyright: ignore[reportArgumentType]
