"""What the agent makes of edited moments, against the functions that reports are made with."""

import concurrent.futures
import contextlib
import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs import OBJECT_NAMES
from rlvision_jax.factorization import NMF
from rlvision_jax.features import Directions, score_maps
from rlvision_jax.interface.codec import decode_array, dequantize, unpack_masks
from rlvision_jax.live import RequestError, Session

ASK = {"trajectory": 0, "step": 20, "layer": "conv2", "scores": ["value", "right logit"]}
HISTORY = [{"edit": "add_saw", "cell": [4, 12]}, {"action": 8}]


@pytest.fixture(scope="module")
def answer(session):
    answer = session.moment({**ASK, "history": HISTORY})
    return json.loads(json.dumps(answer, allow_nan=False))


def test_value_policy_and_attribution_are_those_of_the_frame(answer, agent, report, after):
    policy, params, _ = agent
    frame = decode_array(answer["observation"])
    np.testing.assert_array_equal(frame, after(*HISTORY, step=20).frame)
    logits, values = policy.apply(params, frame[None])
    # The same numbers from another compiled program: float32 sums in another order.
    np.testing.assert_allclose(answer["policy_logits"], logits[0], rtol=1e-4, atol=1e-5)
    assert answer["value"] == pytest.approx(float(values[0]), rel=1e-4, abs=1e-5)

    method = report.provenance["report"]
    components = jnp.stack([feature.direction for feature in report.layers[0].features])
    nmf = NMF(
        components=components,
        reconstruction_error=jnp.float32(0),
        num_iterations=jnp.int32(0),
    )
    directions = Directions(layer="conv2", nmf=nmf)
    for score, content in zip(("value", 7), answer["attributions"], strict=True):
        maps, residual = score_maps(
            policy,
            params,
            frame[None],
            directions,
            (score,),
            num_steps=method["num_integration_steps"],
            rule=method["rule"],
        )
        for name, expected in (("maps", maps[:, 0]), ("residual", residual[:, 0])):
            scale = decode_array(content[f"{name}_scale"])
            stored = dequantize(decode_array(content[name]), scale)
            # Rounded to steps of `scale`: half a step off, and the float32 of the product.
            np.testing.assert_allclose(stored, expected, atol=0.5001 * scale[0], rtol=0)
        total = decode_array(content["totals"]["positive"])
        # float32 sums of some hundred terms, exact maps.
        np.testing.assert_allclose(total, maps[:, 0].clip(min=0).sum((1, 2)), rtol=1e-5)


def test_a_recorded_moment_has_the_recorded_numbers(session, report):
    trajectory = report.trajectories[0]
    answer = session.moment({**ASK, "scores": []})
    assert answer["attributions"] == []
    assert answer["value"] == float(trajectory.values[20])
    assert answer["policy_logits"] == trajectory.policy_logits[20].tolist()
    assert (answer["reward"], answer["end"]) == (0.0, None)


def test_objects_and_scene_are_those_of_the_edited_game(answer, after):
    moment = after(*HISTORY, step=20)
    masks = unpack_masks(decode_array(answer["objects"]["masks"]), 64)[0]
    np.testing.assert_array_equal(masks, moment.picture.masks)
    assert masks[..., OBJECT_NAMES.index("agent")].any()
    player = moment.state.player
    assert answer["velocity"] == [float(player.vx), float(player.vy)]
    (agent,) = [thing for thing in answer["scene"]["things"] if thing["kind"] == "agent"]
    assert (agent["x"], agent["y"]) == (float(player.x), float(player.y))


def test_the_agent_plays_on_as_its_actions_do(session):
    place = {"trajectory": 1, "step": 3, "history": [{"edit": "remove", "kind": "enemy"}]}
    played = session.play({**place, "num_steps": 12, "seed": 4})
    assert len(played["actions"]) == 12 or played["end"]
    observations = decode_array(played["observations"])
    logits = decode_array(played["policy_logits"])
    for t, action in enumerate(played["actions"]):
        place["history"] = [*place["history"], {"action": action}]
        then = session.moment({**place, "layer": "conv2", "scores": []})
        np.testing.assert_array_equal(decode_array(then["observation"]), observations[t])
        assert then["value"] == played["values"][t]
        assert then["reward"] == played["rewards"][t]
        assert then["policy_logits"] == logits[t].tolist()
    assert then["end"] == played["end"]


def test_a_seed_decides_the_play_and_greed_takes_the_likeliest(session):
    ask = {"trajectory": 0, "step": 0, "history": [], "num_steps": 20}
    once = session.play({**ask, "seed": 1})
    assert session.play({**ask, "seed": 1})["actions"] == once["actions"]
    assert session.play({**ask, "seed": 2})["actions"] != once["actions"]
    greedy = session.play({**ask, "greedy": True})
    here = session.moment({**ask, "layer": "conv2", "scores": []} | {"num_steps": 0}) if 0 else None
    assert here is None
    logits = decode_array(greedy["policy_logits"])
    assert greedy["actions"][1:] == logits.argmax(1)[:-1].tolist()


def test_a_play_stops_at_the_end(session):
    # Wherever the agent turns first, it is walled in with the coin.
    walls = [{"edit": "set_cell", "cell": c, "content": "wall"} for c in ([1, 2], [2, 2], [3, 1])]
    coin = [{"edit": "move_coin", "cell": [1, 1]}, *walls]
    ask = {"trajectory": 0, "step": 0, "history": coin, "num_steps": 256, "seed": 0}
    played = session.play(ask)
    assert (len(played["actions"]), played["end"], played["rewards"]) == (1, "complete", [10.0])
    over = {**ask, "history": [*coin, {"action": played["actions"][0]}]}
    with pytest.raises(RequestError, match=r"the game has ended \(complete\)"):
        session.play(over)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "conv9"}, "the report has no layer 'conv9'; expected one of \"conv2\""),
        ({"scores": ["up"]}, "the report has no score 'up'; expected one of \"value\""),
        ({"scores": "value"}, "scores must be a list of names"),
        ({"num_steps": 4}, 'the request has no "num_steps"'),
        ({"step": 150}, "from 0 to 149; got 150"),
    ],
)
def test_questions_about_what_there_is_not_are_refused(session, change, message):
    with pytest.raises(RequestError, match=message):
        session.moment({**ASK, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 257}, "from 1 to 256; got 257"),
        ({"seed": -1}, "seed of the request must be"),
        ({"greedy": "yes"}, "must be true or false"),
        ({"history": 3}, "history must be a list"),
    ],
)
def test_plays_that_cannot_be_are_refused(session, change, message):
    with pytest.raises(RequestError, match=message):
        session.play({"trajectory": 0, "step": 0, "num_steps": 1, **change})


def test_a_request_is_an_object(session):
    with pytest.raises(RequestError, match=r"the request must be an object; got \[\]"):
        session.moment([])


def opened(report, *agents):
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        return contextlib.closing(worker.submit(Session, report, agents).result())


def test_of_another_game_the_pixels_alone_are_live(report, agent):
    config = {"env": "procgen:starpilot", "env_options": {}}
    other = dataclasses.replace(report, provenance={**report.provenance, "agent": config})
    with opened(other, agent) as session:
        about = session.about()
        assert (about["scene"], about["pixels"]) == (False, True)
        assert "CoinRun only; this report is of procgen:starpilot" in about["reason"]
        paint = {"edit": "blank", "pixels": [[3, 4]], "color": [1, 2, 3]}
        answer = session.moment({**ASK, "history": [paint]})
        assert decode_array(answer["observation"])[3, 4].tolist() == [1, 2, 3]
        assert (answer["scene"], answer["velocity"], answer["objects"]) == (None, None, None)
        with pytest.raises(RequestError, match="so the agent cannot play on"):
            session.play({"trajectory": 0, "step": 0, "num_steps": 1})


def test_an_agent_that_sees_otherwise_is_noticed(report, agent):
    first = report.trajectories[0]
    other = dataclasses.replace(first, values=first.values + 1)
    with opened(dataclasses.replace(report, trajectories=(other,)), agent) as session:
        about = session.about()
        assert (about["scene"], about["pixels"]) == (False, False)
        assert "the agent values the first frame at" in about["reason"]
        with pytest.raises(RequestError, match="it saw the frames otherwise"):
            session.moment(ASK)


def test_what_can_be_edited_is_told(session):
    about = session.about()
    assert (about["scene"], about["reason"], about["pixels"]) == (True, None, True)
    assert set(about["kinds"]) == {"saw", "enemy", "crate", "trail", "lava", "coin"}
    assert (about["backgrounds"], about["ground_themes"], about["player_themes"]) == (62, 6, 5)


def test_each_of_two_agents_answers_for_its_own_trajectories(report, agent, session):
    policy, params, config = agent
    first, second = report.trajectories
    names = ("one", "other")
    # The second values everything at 1 more, and has the layer's features in reverse order.
    heads = params["params"]["heads"]
    value = {**heads["value"], "bias": heads["value"]["bias"] + 1}
    other = {"params": {**params["params"], "heads": {**heads, "value": value}}}
    (layer,) = report.layers
    own = dataclasses.replace(
        layer, name="conv2 of other", features=layer.features[::-1], counterpart=0
    )
    two = dataclasses.replace(
        report,
        agents=names,
        layers=(layer, own),
        trajectories=(
            first,
            dataclasses.replace(second, agent=1, values=second.values + np.float32(1)),
        ),
    )
    with opened(two, agent, (policy, other, config)) as both:
        for trajectory, name, more in ((0, "conv2", 0), (1, "conv2 of other", 1)):
            ask = {**ASK, "trajectory": trajectory, "history": HISTORY}
            answer, alone = both.moment({**ask, "layer": name}), session.moment(ask)
            # A float32 sum with another bias.
            assert answer["value"] == pytest.approx(alone["value"] + more, abs=1e-5)
            maps, expected = (decode_array(a["attributions"][0]["maps"]) for a in (answer, alone))
            if more:
                expected = expected[..., ::-1]
            # Solved with the features in another order, then rounded: by a step at most.
            assert np.abs(maps.astype(int) - expected).max() <= 1
            with pytest.raises(RequestError, match="the report has no layer"):
                both.moment({**ask, "layer": ("conv2 of other", "conv2")[trajectory]})
