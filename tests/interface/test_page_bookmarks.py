"""Bookmarks of kinds that the page does not know, in a real Chromium."""

import dataclasses

from browsing import expect, expect_step

from rlvision_jax.interface import Bookmark, write_report


def test_bookmarks_of_any_kind_are_listed_by_heading_with_their_notes(open_page, report, tmp_path):
    markup = "<img src=x onerror=alert(1)>"
    bookmarks = (
        Bookmark(kind="hallucinated saw", trajectory=0, step=11, note="feature 2 in crate, +2.1"),
        Bookmark(kind="hallucinated saw", trajectory=0, step=3, note="feature 2 in wall, −1"),
        Bookmark(kind=markup, trajectory=0, step=20, note=markup),
        *report.bookmarks[-1:],
    )
    marked = dataclasses.replace(report, bookmarks=bookmarks)
    page = open_page(write_report(marked, tmp_path / "report").parent)
    lists = [item.get_attribute("aria-label") for item in page.locator(".bookmarks ol").all()]
    assert lists[-2:] == ["hallucinated saw", markup]
    expect(page.get_by_role("heading", name="Hallucinated saw")).to_be_visible()
    found = page.get_by_role("list", name="hallucinated saw").get_by_role("button")
    expect(found).to_have_count(2)
    expect(found.nth(0)).to_contain_text("1 · step 12")
    expect(found.nth(0)).to_contain_text("feature 2 in crate, +2.1")
    found.nth(0).click()
    expect_step(page, 12)
    expect(found.nth(0)).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("list", name=markup).get_by_role("button")).to_contain_text(markup)
    assert page.locator("img[src=x]").count() == 0
    # The kinds that it knows give the advantage.
    known = page.get_by_role("list", name="Unexpected failures").get_by_role("button").first
    advantage = report.trajectories[report.bookmarks[-1].trajectory].advantages
    assert float(known.inner_text().split()[-1].replace("−", "-")) < 0
    assert advantage[report.bookmarks[-1].step] < 0
