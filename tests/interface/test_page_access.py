"""The page by keyboard alone, and its contrast, in a real Chromium."""

import pytest
from browsing import LOW_CONTRAST, expect


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_reaches_the_contrast_of_wcag_aa(open_page, folder, scheme):
    page = open_page(folder, "#feature=1&score=value&score=RIGHT+logits&hide=2", scheme=scheme)
    expect(page.get_by_role("dialog", name="Feature 1")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="How densely").check()
    expect(page.get_by_role("table")).to_be_visible()
    result = page.evaluate(LOW_CONTRAST)
    assert result["checked"] > 100
    assert result["found"] == []
    page.keyboard.press("Shift+Digit1")
    expect(page.get_by_role("dialog", name="Feature 1")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST)["found"] == []


def test_every_control_is_reached_by_tab_and_shows_it(page):
    count = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, [tabindex='0']")]
          .filter(e => e.checkVisibility() && !e.disabled).length"""
    )
    reached = set()
    for _ in range(count):
        page.keyboard.press("Tab")
        identity, has_ring = page.evaluate(
            """() => {
              const e = document.activeElement;
              const ring = e.closest(".button") ?? e;  // a file input shows its label's
              e.dataset.visited ??= String(Math.random());
              return [e.dataset.visited, getComputedStyle(ring).outlineStyle !== "none"];
            }"""
        )
        reached.add(identity)
        assert has_ring
    assert len(reached) == count


def test_a_failure_its_feature_and_its_objects_are_found_by_keys_alone(page):
    def tab_to(control):
        for _ in range(200):
            page.keyboard.press("Tab")
            if control.evaluate("e => e === document.activeElement"):
                return
        raise AssertionError(f"Tab never reached {control}")

    tab_to(page.get_by_role("button", name="1 · step 15"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Examples of saw"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Feature 2")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    button = page.get_by_role("list", name="Objects").get_by_role("button", name="saw")
    tab_to(button)
    page.keyboard.press(" ")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(page.locator("dl[aria-label='This step'] dd").first).to_contain_text("10")
