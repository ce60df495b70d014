"""Walking pages by Tab alone, as people do who have no mouse."""

from collections.abc import Iterator

from playwright.sync_api import Page

FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, video[controls], [tabindex='0']"
WANTED = f"""[...document.querySelectorAll("{FOCUSABLE}")].filter((one) => !one.disabled && one.checkVisibility()
    && one.tabIndex >= 0 && !(one.type === "radio" && !one.checked))"""
MARK = f"{WANTED}.map((one, place) => {{ one.dataset.place = place; return one.outerHTML.slice(0, 90); }})"
HERE = """(() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const [box, style] = [one.getBoundingClientRect(), getComputedStyle(one)];
    return {place: Number(one.dataset.place ?? -1), html: one.outerHTML.slice(0, 120),
            name: (one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || "").trim(),
            isSeen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
            isMarked: (style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2)
                || one.tagName === "VIDEO"};
})()"""
MOST_STOPS = 400


def stops(page: Page) -> Iterator[dict]:
    """Press Tab until the focus has left the page; a film with its knobs counts once."""
    last = None
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        here = page.evaluate(HERE)
        if here is None or (last is not None and here["place"] == 0):
            return
        if here["html"] != last:
            yield here
        last = here["html"]
    raise AssertionError(f"The focus never leaves {page.url}; it is on {last}.")


def faults_by_tab(page: Page) -> list[str]:
    """Return what is wrong for who walks a page by Tab: unseen or unmarked stops, jumps, and what is never reached."""
    wanted = page.evaluate(MARK)
    found = list(stops(page))
    places = [here["place"] for here in found if here["place"] >= 0]
    wrong = [f"unseen: {here['html']}" for here in found if not here["isSeen"]]
    wrong += [f"no mark of focus: {here['html']}" for here in found if not here["isMarked"]]
    wrong += ["the first stop does not skip to the content"] if not found or "skip" not in found[0]["html"] else []
    wrong += ["the order jumps"] if places != sorted(places) else []
    return wrong + [f"never reached: {wanted[place]}" for place in range(len(wanted)) if place not in places]


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has a name has the focus."""
    for here in stops(page):
        if here["name"].startswith(name):
            return
    raise AssertionError(f"Tab alone never comes to {name!r} on {page.url}.")
