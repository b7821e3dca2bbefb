import dataclasses
import resource
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import runner
import xarray
import zarr

from rlvision_jax import attribution, factorization, sweeps
from rlvision_jax.sweeps.computing import compute_chunk
from rlvision_jax.sweeps.store import remove_leftovers


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return runner.run(tmp_path_factory.mktemp("sweeps") / "sweep.zarr")


@pytest.fixture
def copy(swept, tmp_path):
    """The finished sweep once more, to be spoilt."""
    for name, payload in runner.contents(swept.path).items():
        path = tmp_path / "copy.zarr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return tmp_path / "copy.zarr"


def test_a_sweep_holds_what_the_library_computes_of_its_frames(swept):
    frames, params = swept["observations"][:], runner.make_params()
    scores = ("value", (0, 3), attribution.LogProbability(2))
    direct = attribution.attribute_scores(
        runner.POLICY, params, frames, "mixed", scores, num_steps=3
    )
    maps, residual = factorization.project_signed(swept.directions.nmf, direct.values)
    # Another program of the same arithmetic; the coordinate descent of a projection stops at
    # 1e-5 of its gradient.
    close = {"rtol": 0, "atol": 2e-5}
    np.testing.assert_allclose(swept["scores"][:], direct.scores, **close)
    np.testing.assert_allclose(
        swept["feature_positive"][:], np.maximum(maps, 0).sum((2, 3)), **close
    )
    np.testing.assert_allclose(
        swept["feature_negative"][:], np.minimum(maps, 0).sum((2, 3)), **close
    )
    np.testing.assert_allclose(swept["residual"][:], residual.sum((2, 3)), **close)
    np.testing.assert_allclose(swept["completeness_residual"][:], direct.residuals, **close)
    # float16 has 11 significant bits.
    np.testing.assert_allclose(swept["maps"][:], maps, rtol=2**-11, atol=2e-5)
    np.testing.assert_allclose(swept["residual_maps"][:], residual, rtol=2**-11, atol=2e-5)
    logits, values = runner.POLICY.apply(params, frames)
    np.testing.assert_allclose(swept["value"][:], values, **close)
    np.testing.assert_allclose(swept["logits"][:], logits, rtol=1e-6, atol=2e-5)


def test_features_residual_and_scores_add_up(swept):
    shares = (swept["feature_positive"][:] + swept["feature_negative"][:]).sum(-1)
    explained = swept["scores"][:] - swept["baseline_scores"][:]
    # Sums of a few hundred terms in float32.
    np.testing.assert_allclose(
        shares + swept["residual"][:], explained + swept["completeness_residual"][:], atol=1e-5
    )


def test_facts_follow_the_episodes(swept):
    episode, step = swept["episode"][:], swept["step"][:]
    ended, seeds = swept["terminated"][:], swept["level_seed"][:]
    assert (seeds == 17).all()
    assert (swept["action"][:] == runner.RIGHT_UP).all()
    assert ended.any()
    assert not swept["truncated"][:].any()
    for start in range(0, 150, 32):  # what one environment shows in one shard
        for frame in range(start, min(start + 32, 150)):
            if frame == start or ended[frame - 1]:
                assert (episode[frame], step[frame]) == (frame, 0)
            else:
                assert (episode[frame], step[frame]) == (episode[frame - 1], step[frame - 1] + 1)
    assert (swept["reward"][:] == 0).all()


def test_one_frame_is_kept_in_an_interval(swept, tmp_path):
    config = dataclasses.replace(
        runner.CONFIG, frames=64, interval=3, shard_steps=32, maps=False, directions=swept.path
    )
    apart = runner.run(tmp_path / "apart.zarr", config)
    steps = apart["step"][:]
    assert steps[:3].tolist() == [2, 5, 8]
    # The same episodes of the same level, as the agent does the same in each.
    frames, here = swept["observations"][:32], swept["step"][:32]
    for index in range(5):
        np.testing.assert_array_equal(apart["observations"][index], frames[here == steps[index]][0])


def test_plain_zarr_and_xarray_read_a_sweep(swept):
    group = zarr.open_group(swept.path, mode="r")
    np.testing.assert_array_equal(group["maps"][3], swept["maps"][3])
    data = xarray.open_zarr(swept.path)
    assert dict(data.sizes)["frame"] == 150
    assert data.maps.dims == ("frame", "score", "layer_row", "layer_column", "feature")
    assert data.maps.dtype == np.float16
    np.testing.assert_array_equal(data.logits.isel(frame=7), swept["logits"][7])
    assert data.attrs["scores"] == ["value", "logit:0+3", "log_prob:2"]


def test_the_summary_counts_every_frame_once(swept):
    summary = swept.summary()
    assert summary.num_frames == 150
    row = next(row for row in summary.rows if (row.score, row.feature) == ("logit:0+3", "2"))
    positive, negative = swept["feature_positive"][:, 1, 1], swept["feature_negative"][:, 1, 1]
    # Sums in double precision against numpy's in float32.
    assert row.positive == pytest.approx(positive.mean(), rel=1e-5)
    assert row.negative == pytest.approx(negative.mean(), rel=1e-5)
    assert row.strongest_frame == np.abs(positive + negative).argmax()
    for score in swept.scores:
        assert sum(row.share for row in summary.rows if row.score == score) == pytest.approx(1)
    assert "log_prob:2" in str(summary)


def test_what_is_missing_or_damaged_is_named_and_computed_again(swept, copy):
    (copy / "value/c/1").unlink()
    (copy / "logits/c/0/0").write_bytes(b"")
    maps = copy / "maps/c/2/0/0/0/0"
    spoilt = bytearray(maps.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    maps.write_bytes(spoilt)
    sweep = sweeps.open(copy)
    assert sweep.finished.tolist() == [False, False, True]
    with pytest.raises(sweeps.ShardIntegrityError, match="3 of 3 shards") as error:
        sweep.check()
    for what in (
        "shard 0: logits/c/0/0 is missing or empty",
        "shard 1: value/c/1 is missing or empty",
        'shard 2: "maps" is damaged at frame 128',
    ):
        assert what in str(error.value)
    runner.run(copy).check()
    assert runner.contents(copy) == runner.contents(swept.path)


def test_finished_shards_are_not_computed_again(copy):
    (copy / "value/c/1").unlink()
    computed = []

    def note(worker, shards, on_frames):
        computed.extend(shards)

    runner.run(copy, executor=note)
    assert computed == [slice(64, 128)]
    assert sweeps.open(copy).summary().num_frames == 86


def test_a_stop_in_any_shard_loses_nothing(swept, tmp_path):
    out = tmp_path / "stopped.zarr"
    for _ in range(2):

        def stop(worker, shards, on_frames):
            worker(shards[0], on_frames)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            runner.run(out, executor=stop)
    assert sweeps.open(out).finished.tolist() == [True, True, False]
    assert np.isnan(sweeps.open(out)["value"][128])
    runner.run(out)
    assert runner.contents(out) == runner.contents(swept.path)


def test_parts_together_are_the_whole(swept, tmp_path):
    out = tmp_path / "parts.zarr"
    runner.run(out, part=(1, 2))
    assert sweeps.open(out).finished.tolist() == [False, True, False]
    runner.run(out, part=(0, 2))
    assert runner.contents(out) == runner.contents(swept.path)


def test_progress_ends_at_all_frames(copy):
    told = []
    runner.run(copy, notify=lambda *what: told.append(what))
    assert told[-1] == ("attributing", 150, 150)


def test_memory_does_not_grow_with_the_number_of_frames(swept, tmp_path):
    peaks = []
    for turn, num_frames in enumerate((128, 128, 768)):  # the first one loads and compiles
        config = dataclasses.replace(
            runner.CONFIG, frames=num_frames, maps=False, directions=swept.path
        )
        tracemalloc.start()
        runner.run(tmp_path / f"{turn}.zarr", config)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Ten shards more, of 0.8 MB of frames alone, would show.
    assert peaks[2] < peaks[1] + 2e6, peaks


def test_memory_does_not_grow_with_integration_steps(swept):
    frames = jnp.zeros((4, 64, 64, 3), jnp.uint8)
    scores = (attribution.scores.output_score("value", runner.POLICY.num_actions),)

    def temporaries(num_steps):
        def run(frames):
            return compute_chunk(
                runner.POLICY,
                runner.make_params(),
                swept.directions.nmf,
                frames,
                "mixed",
                scores,
                num_steps=num_steps,
                rule="right",
                maps=False,
            )

        return jax.jit(run).lower(frames).compile().memory_analysis().temp_size_in_bytes

    # Up to ten steps are computed together.
    assert temporaries(40) < 1.3 * temporaries(10)


def test_another_sweep_is_not_overwritten(swept):
    before = runner.contents(swept.path)
    config = dataclasses.replace(runner.CONFIG, num_integration_steps=4, seed=1)
    with pytest.raises(
        sweeps.StoreMismatchError,
        match=r"num_integration_steps \(3, not 4\), sweep.seed \(0, not 1\)",
    ):
        runner.run(swept.path, config)
    assert runner.contents(swept.path) == before


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(sweeps.StoreMismatchError, match="is not a sweep; choose another folder"):
        runner.run(tmp_path)
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(sweeps.StoreMismatchError, match="is not a sweep"):
        runner.run(tmp_path / "group.zarr")
    with pytest.raises(ValueError, match="a Zarr group, but not a sweep"):
        sweeps.open(tmp_path / "group.zarr")
    with pytest.raises(FileNotFoundError, match="expected a sweep of `rlvision attribute`"):
        sweeps.open(tmp_path / "nothing.zarr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "9z"}, 'unknown layer "9z"'),
        ({"scores": "value,score"}, 'unknown score "score"'),
        ({"scores": "logit:15"}, r'unknown score "logit:15".* number from 0 to 14'),
        ({"num_features": 6}, "at most the number of channels, 5; got 6"),
        ({"env": "procgen:tetris"}, 'unknown environment "procgen:tetris"'),
    ],
)
def test_bad_settings_leave_no_store(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        runner.run(tmp_path / "bad.zarr", dataclasses.replace(runner.CONFIG, **change))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 0}, "frames must be an integer of at least 1; got 0"),
        ({"num_integration_steps": 0}, "num_integration_steps must be an integer of at least 1"),
        ({"rule": "left"}, 'unknown rule "left"'),
        ({"seed": -1}, "seed must be an integer of at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(runner.CONFIG, **change)


def test_parts_out_of_range_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be from 0 to 1, of 2 parts; got 2"):
        runner.run(tmp_path / "bad.zarr", part=(2, 2))


def test_features_of_another_layer_are_refused(swept, tmp_path):
    config = dataclasses.replace(runner.CONFIG, layer="pooled", directions=swept.path)
    with pytest.raises(ValueError, match='features of layer "mixed" with 5 channels'):
        runner.run(tmp_path / "bad.zarr", config)


def test_a_full_disk_is_named_and_loses_nothing(swept, copy):
    (copy / "maps/c/1/0/0/0/0").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write frames from 64 on into .*make room"):
            runner.run(copy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sweeps.open(copy).finished.tolist() == [True, False, True]
    runner.run(copy)
    assert runner.contents(copy) == runner.contents(swept.path)


def test_attributions_that_are_not_finite_are_not_written(swept, tmp_path):
    config = dataclasses.replace(runner.CONFIG, directions=swept.path)
    params = jax.tree.map(lambda x: x * jnp.nan, runner.make_params())
    with pytest.raises(FloatingPointError, match=r'"value" of frame 0 .* not a finite float32'):
        sweeps.run_sweep(runner.POLICY, params, runner.AGENT, config, tmp_path / "nan.zarr")
    assert not sweeps.open(tmp_path / "nan.zarr").finished.any()


def test_only_what_nobody_writes_any_more_is_removed(copy):
    import os

    old, young = copy / "value/c/0.1f.partial", copy / "value/c/1.2e.partial"
    beside = copy.parent / ".copy.zarr.3d.part"
    beside.mkdir()
    for path in (old, young):
        path.write_bytes(b"half")
    for path in (old, beside):
        os.utime(path, (0, 0))
    remove_leftovers(copy)
    assert not old.exists()
    assert not beside.exists()
    assert young.exists()
