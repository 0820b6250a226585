"""The static page: self-contained, true to the data, safe, and alive in a real browser."""

import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from regen.errors import InputError
from regen.tracking import ExperimentTracker, export_html
from regen.tracking.page import thinned, ticks

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
EVIL = "<script>document.title='broken'</script>\"'&"


class Page(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_has_every_part_and_loads_nothing(sweep: dict[str, str], cli: Any) -> None:
    cli("export-html", "page.html")
    text = Path("page.html").read_text()
    page = Page(Path("page.html"))
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    assert not any({"src", "href"} & attributes.keys() for _, attributes in page.tags)
    assert [a["class"] for t, a in page.tags if t == "section"] == [
        "list", "leaderboard", "comparison", "curves",
    ]  # fmt: skip
    lines = [a["data-experiment"] for t, a in page.tags if t == "polyline"]
    assert sorted(filter(None, lines)) == sorted(set(sweep.values()) - {sweep["lr0.0001-r32"]})
    assert all(name in text for name in sweep)


def test_a_curve_is_where_its_values_are(workdir: Path) -> None:
    tracker = ExperimentTracker()
    with tracker.experiment({}):
        for step, value in enumerate([0.0, 1.0, 0.5]):
            tracker.log_metrics({"reward": value}, step)
    export_html(Path("page.html"))
    (line,) = [a for t, a in Page(Path("page.html")).tags if t == "polyline"]
    points = [tuple(map(float, p.split(","))) for p in str(line["points"]).split()]
    (x0, low), (x1, high), (x2, middle) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert high < middle < low  # SVG's y points down
    assert middle == pytest.approx((low + high) / 2, abs=0.2)


def test_long_curves_are_thinned_and_keep_their_peaks() -> None:
    points = [(float(i), math.sin(i / 500)) for i in range(10_000)]
    points[7777] = (7777.0, 99.0)
    kept = thinned(points)
    assert len(kept) <= 300
    assert (7777.0, 99.0) in kept and kept[0] == points[0] and kept[-1] == points[-1]
    assert kept == sorted(kept)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 17), (1e-5, 4e-5), (5, 5), (0, 123456)])
def test_ticks_are_few_and_span_the_values(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low + 1e-12 and found[-1] >= high - 1e-12
    assert len(found) <= 8 and found == sorted(set(found))


def test_nothing_to_show_is_one_line(workdir: Path) -> None:
    with pytest.raises(InputError, match="no experiment to show"):
        export_html(Path("page.html"))


@pytest.mark.slow
def test_in_a_browser(sweep: dict[str, str]) -> None:
    """Offline: rows sort by a click, a box hides curves, no text of a name is run."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    tracker = ExperimentTracker()
    with tracker.experiment({"evil": EVIL}, EVIL, EVIL):
        tracker.log_evaluation("sums", {"accuracy": 0.05})
    export_html(Path("page.html"))
    with api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(offline=True)
        errors: list[str] = []
        asked: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(Path("page.html").resolve().as_uri())
        assert page.title() == "Experiments"
        assert [url.partition(":")[0] for url in asked] == ["file"]
        assert EVIL in page.locator(".list tbody").inner_text()

        values = ".leaderboard tbody tr td:nth-child(4)"
        assert page.locator(values).all_inner_texts()[0] == "0.82"
        page.locator(".leaderboard th button", has_text="accuracy").click()
        ascending = [float(text) for text in page.locator(values).all_inner_texts()]
        assert ascending[0] == 0.05 and ascending == sorted(ascending)
        page.locator(".leaderboard th button", has_text="accuracy").click()
        assert page.locator(values).all_inner_texts()[0] == "0.82"

        line = page.locator(f'polyline[data-experiment="{sweep["lr1e-05-r8"]}"]')
        assert line.is_visible() and line.bounding_box()["width"] > 100
        page.locator(f'input[data-shows="{sweep["lr1e-05-r8"]}"]').uncheck()
        assert not line.is_visible()
        assert page.locator("polyline:visible").count() == 7
        page.locator(f'input[data-shows="{sweep["lr1e-05-r8"]}"]').check()
        assert line.is_visible()
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wide
        assert errors == []
        running.close()
