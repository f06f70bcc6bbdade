"""The page in Chromium, on desktop and phone, by mouse and by keyboard."""

from pathlib import Path

import pytest
from browser import Browser
from selenium.webdriver.common.keys import Keys
from served import Served

PASTED = "CC(=O)Oc1ccccc1C(=O)O aspirin\nnope <b>broken</b>\nc1ccccc1O <img src=x onerror=alert(1)>\n"


@pytest.fixture
def page(browser: Browser, served: Served) -> Browser:
    """The page of the model "solubility", with nothing predicted."""
    browser.driver.get(served.address)
    browser.until("return document.documentElement.dataset.ready !== undefined")
    return browser


def predict(page: Browser, text: str, count: int) -> None:
    page.script("document.getElementById('smiles').value = arguments[0]", text)
    page.click("#predict")
    page.until(f"return document.querySelectorAll('#rows > li').length === {count}")


def drawn(page: Browser) -> list[list[int]]:
    page.script("for (const one of document.images) { one.loading = 'eager'; one.scrollIntoView(); }")
    page.until("return document.images.length > 0 && [...document.images].every((one) => one.complete)")
    return list(page.script("return [...document.images].map((one) => [one.naturalWidth, one.naturalHeight])"))


def test_pasted_molecules_are_predicted_and_drawn_beside_their_neighbors(page: Browser, served: Served) -> None:
    predict(page, PASTED, 3)
    assert page.texts("#rows h3") == ["aspirin", "<b>broken</b>", "<img src=x onerror=alert(1)>"]
    assert page.all("#rows b img, #rows h3 *") == []
    assert "3 molecules, 1 without a prediction" in page.text("#summary")
    assert page.text("#rows li:nth-child(2) .reason") == "No prediction: RDKit cannot parse the SMILES"
    [number] = page.texts("#rows li:first-child .number")
    assert float(number.replace("−", "-")) < 0
    low, high = page.texts("#rows li:first-child .range")[0].replace("−", "-").split(" to ")
    assert float(low) < float(number.replace("−", "-")) < float(high)
    assert page.texts("#rows li:first-child .badge")[0].endswith("the domain")
    assert ["CMP-" in text for text in page.texts("#rows figcaption")] == [True, True]
    assert drawn(page) == [[320, 240]] * 4
    assert page.script("return document.activeElement.id") == "results-title"
    table = served.get("/" + page.one("#download").get_attribute("href").removeprefix(served.address + "/")).text
    assert table.startswith("smiles,name,solubility_predicted,")
    assert page.console() == []
    assert {address.partition("/predictions")[0].rstrip("/") for address in page.requests()} <= {
        served.address, *(f"{served.address}/{name}" for name in ("style.css", "app.js", "icon.svg"))
    }  # fmt: skip


def test_the_keyboard_is_enough(page: Browser) -> None:
    page.script("document.body.focus()")
    page.one("body").send_keys(Keys.TAB)
    assert page.script("return document.activeElement.className") == "skip"
    page.one(".skip").send_keys(Keys.ENTER)
    page.one("#smiles").send_keys("CCO", Keys.CONTROL, Keys.ENTER)
    page.until("return document.querySelectorAll('#rows > li').length === 1")
    reached = []
    for _ in range(3):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(page.script("return document.activeElement.id || document.activeElement.tagName"))
    assert reached[:2] == ["order", "download"]


def test_a_dropped_table_is_predicted_ordered_and_shown_in_parts(page: Browser) -> None:
    drop = """
        const given = new DataTransfer();
        given.items.add(new File([arguments[0]], 'my.csv'));
        document.getElementById('drop').dispatchEvent(
            new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true }));
    """
    page.script(drop, "smiles,name\n" + "".join(f"{'C' * length}O,alcohol {length}\n" for length in range(1, 31)))
    assert page.text("#chosen").startswith("my.csv")
    page.click("#predict")
    page.until("return document.querySelectorAll('#rows > li').length === 25")
    assert page.text("#more") == "Show 5 more of 5"
    page.click("#more")
    page.until("return document.querySelectorAll('#rows > li').length === 30")
    page.click("#order option[value='value down']")
    numbers = [float(text.replace("−", "-")) for text in page.texts("#rows .number")]
    assert numbers == sorted(numbers, reverse=True)
    page.click("#remove")
    assert page.script("return document.getElementById('file').value") == ""


def test_what_cannot_be_predicted_is_said_beside_the_form(page: Browser, tmp_path: Path) -> None:
    page.click("#predict")
    assert page.text("#error").startswith("There is no SMILES")
    wrong = tmp_path / "my.docx"
    wrong.write_bytes(b"PK")
    page.one("#file").send_keys(str(wrong))
    assert page.text("#error").startswith("my.docx: give a CSV, TSV, SMILES or SD file")
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * 5_000_001)
    page.one("#file").send_keys(str(large))
    assert page.text("#error").startswith("large.csv: more than 5 MB")
    table = tmp_path / "none.csv"
    table.write_text("a,b\n1,2\n")
    page.one("#file").send_keys(str(table))
    page.click("#predict")
    page.until("return document.getElementById('error').textContent !== ''")
    assert page.text("#error").startswith("The table has no column called smiles")
    assert not page.one("#results").is_displayed()
    assert [role for role in ("status", "alert") if page.all(f"[role={role}]")] == ["status", "alert"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read_on_desktop_and_phone(page: Browser, width: int, scheme: str) -> None:
    page.window(width, 900)
    page.scheme(scheme)
    long = "CCO " + "x" * 300
    predict(page, f"{PASTED}{long}\n{'C' * 150}", 5)
    assert page.script("return document.documentElement.scrollWidth") <= width
    cut = """
        return [...document.querySelectorAll('#input *, #rows *, .prose > *')].filter((one) => {
            const box = one.getBoundingClientRect();
            return box.width && one.closest('pre, table') === null && (box.right > innerWidth + 1 || box.left < -1);
        }).map((one) => one.outerHTML.slice(0, 80))
    """
    assert page.script(cut) == []
    ground = page.script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(21, 23, 26)") == (scheme == "dark")
    unlabeled = """
        return [...document.querySelectorAll('input, textarea, select')].filter((one) => one.labels.length === 0).length
            + [...document.images].filter((one) => !one.alt).length
    """
    assert page.script(unlabeled) == 0
    assert _least_contrast(page) >= 4.5


def _least_contrast(page: Browser) -> float:
    """Return the lowest contrast of a text with its ground (WCAG 2.1, relative luminance)."""
    return float(
        page.script("""
        const channels = (color) => color.match(/[\\d.]+/g).map(Number);
        const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (one) => {
            const found = channels(getComputedStyle(one).backgroundColor);
            return found.length > 3 && found[3] === 0 && one.parentElement ? ground(one.parentElement) : found;
        };
        const texts = [...document.querySelectorAll('main *, header *, footer *')]
            .filter((one) => one.offsetParent && [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
        return Math.min(...texts.map((one) => {
            const [a, b] = [luminance(channels(getComputedStyle(one).color)), luminance(ground(one))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }));
    """)
    )
