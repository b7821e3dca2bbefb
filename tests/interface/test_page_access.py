"""The page by keyboard alone, and its contrast, in a real Chromium."""

import pytest
from browsing import expect

# Text whose colour and ground are both plain: [ratio, text] of what falls below WCAG AA, which
# asks 4.5, or 3 of text of 24 pixels (bold: 18.66) or more. Disabled controls are exempt.
_LOW_CONTRAST = """() => {
  const parse = color => {
    const numbers = color.match(/[\\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers, 1] : numbers;
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const groundOf = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      layers.push(parse(style.backgroundColor));
      if (style.backgroundImage !== "none") return null;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const opacityOf = element => {
    let opacity = 1;
    for (let e = element; e; e = e.parentElement) opacity *= getComputedStyle(e).opacity;
    return opacity;
  };
  const luminance = rgb => {
    const [r, g, b] = rgb.map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, noscript, option, :disabled")) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    if (ground === null) continue;
    const color = parse(style.color);
    color[3] *= opacityOf(element);
    const [low, high] = [luminance(over(color, ground)), luminance(ground)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    checked++;
    if (ratio < (isLarge ? 3 : 4.5)) found.push([ratio.toFixed(2), node.textContent.trim()]);
  }
  return {checked, found};
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_reaches_the_contrast_of_wcag_aa(open_page, folder, scheme):
    page = open_page(folder, "#feature=1&score=value&score=RIGHT+logits&hide=2", scheme=scheme)
    expect(page.get_by_role("dialog", name="Feature 1")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="How densely").check()
    expect(page.get_by_role("table")).to_be_visible()
    result = page.evaluate(_LOW_CONTRAST)
    assert result["checked"] > 100
    assert result["found"] == []
    page.keyboard.press("Shift+Digit1")
    expect(page.get_by_role("dialog", name="Feature 1")).to_be_visible()
    assert page.evaluate(_LOW_CONTRAST)["found"] == []


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
