import dataclasses
import re

import numpy as np
import pytest

from rlvision_jax.interface import Bookmark, Failure, Score, validate


def test_the_report_of_these_tests_is_valid(report):
    validate(report)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("values", lambda a: a[:-1], "values must have shape [24]; got [23]"),
        ("policy_logits", lambda a: a[:, :3], "policy_logits must have shape [24, 4]; got [24, 3]"),
        (
            "observations",
            lambda a: a[..., :1],
            "must have shape [any, any, any, 3]; got [24, 64, 64, 1]",
        ),
        ("observations", lambda a: a[:0], "trajectories[0] has no steps; expected at least one"),
        (
            "actions",
            lambda a: a + 1,
            "actions must lie in 0 to 3 (report.action_names); got 1 to 4",
        ),
        ("advantages", lambda a: a * np.nan, "advantages must be finite; got NaN or infinity"),
    ],
)
@pytest.mark.usefixtures("as_in_production")
def test_wrong_arrays_of_a_trajectory_are_named(report, replaced, name, change, message):
    array = getattr(report.trajectories[0], name)
    wrong = replaced(**{name: change(array).astype(array.dtype)})
    with pytest.raises(ValueError, match=re.escape(message)):
        validate(wrong)


@pytest.mark.usefixtures("as_in_production")
def test_wrong_dtypes_and_lists_are_named(report, replaced):
    values = report.trajectories[0].values
    with pytest.raises(ValueError, match=r"values must be float32 \[24\]; got float64"):
        validate(replaced(values=values.astype(np.float64)))
    with pytest.raises(ValueError, match="values must be a NumPy array; got list"):
        validate(replaced(values=values.tolist()))


@pytest.mark.usefixtures("as_in_production")
def test_maps_must_fit_the_layer_and_the_trajectory(report, replaced):
    attribution = report.trajectories[0].attributions[0]
    where = r'trajectories\[0\], "value" to "2b", '
    fewer = dataclasses.replace(attribution, maps=attribution.maps[..., :2])
    with pytest.raises(ValueError, match=where + r"maps must have shape \[24, any, any, 3\]"):
        validate(replaced(attributions=(fewer,)))
    shifted = dataclasses.replace(attribution, residual=attribution.residual[:, 1:])
    with pytest.raises(ValueError, match=where + r"residual must have shape \[24, 32, 32\]"):
        validate(replaced(attributions=(shifted,)))
    infinite = dataclasses.replace(attribution, maps=attribution.maps + np.float32(np.inf))
    with pytest.raises(ValueError, match=where + "maps must be finite"):
        validate(replaced(attributions=(infinite,)))


def test_attributions_must_name_what_the_report_has(report, replaced):
    attribution = report.trajectories[0].attributions[0]
    unknown = dataclasses.replace(attribution, layer="9z")
    with pytest.raises(ValueError, match='unknown layer "9z"; expected one of "2b", "3a"'):
        validate(replaced(attributions=(unknown,)))
    with pytest.raises(ValueError, match="two attributions of the same layer and score"):
        validate(replaced(attributions=(attribution, attribution)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectories": ()}, "report.trajectories is empty"),
        ({"action_names": ()}, "report.action_names is empty"),
        ({"scores": (Score(name="value"),) * 2}, 'report.scores repeats the name "value"'),
        ({"scores": (Score(name="x", actions=(4,)),)}, "expected one or more of 0 to 3"),
        (
            {"bookmarks": (Bookmark(kind="low", trajectory=2, step=0),)},
            "trajectory 2; the report has 2",
        ),
        ({"bookmarks": (Bookmark(kind="low", trajectory=0, step=24),)}, "trajectory 0 has 24"),
        (
            {"failures": (Failure(cause="saw", trajectory=0, step=24),)},
            "failure names step 24; trajectory 0 has 24",
        ),
        ({"object_names": ("saw", "saw")}, 'report.object_names repeats the name "saw"'),
        (
            {"object_names": ("saw",)},
            "object_masks must have shape [24, 64, 64, 1]; got [24, 64, 64, 2]",
        ),
        ({"examples": None}, "must hold indices into the 0 frames of report.examples; got 0 to"),
        ({"provenance": {"checkpoint": object()}}, "report.provenance is not JSON"),
        ({"provenance": {"loss": float("nan")}}, "report.provenance is not JSON"),
    ],
)
def test_wrong_reports_are_named(report, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        validate(dataclasses.replace(report, **changes))


def test_pictures_for_people_are_of_every_step(report, replaced):
    frames = report.trajectories[0].human_frames
    with pytest.raises(ValueError, match="must be empty or one for each of 24 steps; got 23"):
        validate(replaced(human_frames=frames[1:]))


@pytest.mark.usefixtures("as_in_production")
def test_the_kind_of_a_layer_is_one_of_two(report):
    wrong = dataclasses.replace(report.layers[2], kind="saliency")
    with pytest.raises(ValueError, match='unknown kind of layer "saliency"'):
        validate(dataclasses.replace(report, layers=(*report.layers[:2], wrong)))


@pytest.mark.usefixtures("as_in_production")
def test_wrong_features_are_named(report):
    layer = report.layers[0]

    def with_first_feature(**changes):
        first = dataclasses.replace(layer.features[0], **changes)
        changed = dataclasses.replace(layer, features=(first, *layer.features[1:]))
        return dataclasses.replace(report, layers=(changed, *report.layers[1:]))

    with pytest.raises(ValueError, match="color must be None or like \"#1f77b4\"; got 'red'"):
        validate(with_first_feature(color="red"))
    with pytest.raises(ValueError, match=r"strengths must have shape \[3\]; got \[2\]"):
        validate(with_first_feature(strengths=np.ones(2, np.float32)))
    with pytest.raises(ValueError, match=r"direction has shape \(6,\); features\[0\] has \(5,\)"):
        validate(with_first_feature(direction=np.ones(5, np.float32)))
    empty = dataclasses.replace(layer, features=())
    with pytest.raises(ValueError, match='layer "2b" has no features'):
        validate(dataclasses.replace(report, layers=(empty, *report.layers[1:])))
