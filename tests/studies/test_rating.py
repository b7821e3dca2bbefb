import base64
import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright import sync_api

from rlvision_jax.studies.agreement import (
    MEAN_RATING,
    SCORE,
    agent_table,
    agreement_table,
    rank_correlation,
)
from rlvision_jax.studies.rating import (
    RatedFeature,
    Rating,
    example_patches,
    rating_page,
    read_ratings,
)

# Of a red 2 x 2 picture.
_PATCH = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mP8z8DAwMDAxMDAwMDAAAAN"
    "HQEDaB7T3gAAAABJRU5ErkJggg=="
)


def make_features(num_features=4, agents=("one", "two")):
    return [
        RatedFeature(agent, index + 1, "saw", index / num_features, (_PATCH,) * 2, (True, False))
        for agent in agents
        for index in range(num_features)
    ]


def save(path, key, ratings, rater="Ada"):
    rows = [f"{key['page']},{rater},{item},{rating}" for item, rating in ratings.items()]
    path.write_text("\n".join(["page,rater,item,rating", *rows, ""]))
    return path


def test_the_page_does_not_tell_whose_feature_it_is_and_the_key_does():
    html, key = rating_page(make_features(), seed=3)
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert [each["item"] for each in data["features"]] == list(key["items"])
    assert not {"agent", "feature", "score", "object_class"} & set(data["features"][0])
    agents = [item["agent"] for item in key["items"].values()]
    assert agents != sorted(agents)  # shuffled
    assert sorted((item["agent"], item["feature"]) for item in key["items"].values()) == [
        (agent, feature) for agent in ("one", "two") for feature in (1, 2, 3, 4)
    ]
    assert rating_page(make_features(), seed=3) == (html, key)
    assert rating_page(make_features(), seed=4)[1]["items"] != key["items"]


def test_a_person_rates_saves_and_continues(tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("the browser check did not run: no chromium on the PATH")
    html, key = rating_page(make_features())
    (tmp_path / "index.html").write_text(html)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((tmp_path / "index.html").as_uri())
        sections = page.locator("section")
        sync_api.expect(sections).to_have_count(8)
        sync_api.expect(sections.nth(0).locator("img.raises, img.lowers")).to_have_count(2)
        assert page.evaluate("document.querySelector('img').naturalWidth") == 2
        for sign, color in (("raises", "rgb(33, 102, 172)"), ("lowers", "rgb(178, 24, 43)")):
            frame = sections.nth(0).locator(f"img.{sign}")
            sync_api.expect(frame).to_have_css("border-top-color", color)
        page.get_by_role("button", name="Save ratings").click()
        sync_api.expect(page.get_by_role("status")).to_contain_text("Give your name first")
        page.get_by_label("Your name").fill('Ada, "A"')
        sections.nth(0).get_by_label("10").check()
        sections.nth(5).get_by_label("0", exact=True).check()
        sync_api.expect(page.get_by_role("status")).to_have_text("2 of 8 rated")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save ratings").click()
        saved = tmp_path / "ratings.csv"
        download.value.save_as(saved)

        page.reload()
        sync_api.expect(page.get_by_role("status")).to_have_text("0 of 8 rated")
        page.get_by_label("Continue").set_input_files(saved)
        sync_api.expect(page.get_by_role("status")).to_have_text("2 of 8 rated")
        sync_api.expect(sections.nth(5).get_by_label("0", exact=True)).to_be_checked()
        other = save(tmp_path / "other.csv", {"page": "another"}, {"item-1": 3})
        page.get_by_label("Continue").set_input_files(other)
        sync_api.expect(page.get_by_role("status")).to_have_text("This file is not of this page")
        browser.close()
    rater = "Ada   A"
    assert read_ratings(saved, key) == [Rating(rater, "item-1", 10), Rating(rater, "item-6", 0)]


@pytest.mark.parametrize(
    ("page", "item", "rating", "message"),
    [
        ("other", "item-1", "3", "rates page other"),
        (None, "item-99", "3", 'unknown item "item-99"'),
        (None, "item-1", "11", 'a whole number from 0 to 10; got "11"'),
        (None, "item-1", "2.5", 'got "2.5"'),
        (None, "item-2", "4", "a second time"),
    ],
)
def test_files_that_are_no_ratings_are_refused_with_their_line(
    tmp_path, page, item, rating, message
):
    _, key = rating_page(make_features())
    path = tmp_path / "ratings.csv"
    rows = [(key["page"], "Ada", "item-2", "5"), (page or key["page"], "Ada", item, rating)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("page", "rater", "item", "rating"), *rows])
    with pytest.raises(ValueError, match=f"line 3: .*{message}"):
        read_ratings(path, key)
    path.write_text("item,stars\nitem-1,5\n")
    with pytest.raises(ValueError, match="must have the columns page, rater, item, rating"):
        read_ratings(path, key)


def test_rank_correlation_shares_ranks_of_equal_values():
    first, second = np.array([1.0, 2.0, 2.0, 4.0]), np.array([3.0, 1.0, 5.0, 5.0])
    # Ranks 1, 2.5, 2.5, 4 and 2, 1, 3.5, 3.5; Pearson's correlation of these.
    assert rank_correlation(first, second) == pytest.approx(2.25 / 4.5)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert rank_correlation(first, np.ones(4)) is None


def test_agreement_of_raters_who_follow_the_score_and_the_opposite(tmp_path):
    _, key = rating_page(make_features(num_features=10))
    score = {item: each["score"] for item, each in key["items"].items()}
    right = {item: round(10 * value) for item, value in score.items()}
    wrong = {item: 10 - rating for item, rating in right.items()}
    ratings = [
        rating
        for rater, given in {"right": right, "wrong": wrong}.items()
        for rating in read_ratings(save(tmp_path / f"{rater}.csv", key, given, rater), key)
    ]
    rows = {(row["first"], row["second"]): row for row in agreement_table(ratings, key).rows}
    assert set(rows) == {
        (SCORE, MEAN_RATING),
        (SCORE, "right"),
        (SCORE, "wrong"),
        ("right", "wrong"),
    }
    assert rows[SCORE, "right"]["correlation"] == rows[SCORE, "right"]["low"] == 1
    assert rows[SCORE, "wrong"]["correlation"] == rows["right", "wrong"]["high"] == -1
    assert rows[SCORE, MEAN_RATING]["correlation"] is None  # the mean is 5 of all
    for row in agent_table(ratings, key).rows:
        assert row["features"] == 10
        assert (row["score"], row["rating"]) == (0.45, 0.5)


def test_the_interval_of_unrelated_ratings_holds_zero():
    _, key = rating_page(make_features(num_features=20))
    rng = np.random.default_rng(0)
    ratings = [Rating("Eve", item, int(rng.integers(11))) for item in key["items"]]
    row = agreement_table(ratings, key).rows[0]
    assert row["low"] < 0 < row["high"]


def test_examples_are_cut_around_the_strongest_attributions_with_their_sign():
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    maps = np.zeros((3, 32, 32), np.float32)
    for frame, (row, column, value) in enumerate([(10, 10, -2.0), (20, 5, 3.0), (0, 0, 1.0)]):
        frames[frame, 2 * row, 2 * column] = 255
        maps[frame, row, column] = value
    patches, raises = example_patches(frames, maps, np.arange(3), num_examples=2)
    assert raises == [True, False]
    for patch in patches:
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(patch))))
        assert image.shape == (20, 20, 3)
        assert (image[8:12, 8:12] == 255).any()
