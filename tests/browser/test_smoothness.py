"""Home with 200 live tasks: each step costs little, and nothing of it stays. What a quiet machine shows on the clock is for `measure_frames` and `measure_memory`."""

from playwright.async_api import Browser

from tests.browser.conftest import People
from tests.browser.crowd import LIVE, STEPS, STEPS_EACH, gathered
from tests.browser.frames import LONGEST, traced
from tests.browser.memory import Scales


async def test_no_piece_of_work_takes_long(browser: Browser, people: People) -> None:
    """By the processor's time: on the clock, whatever else runs on the machine would be measured too."""
    page = await gathered(people)
    seen = await traced(browser, page, STEPS, 4)
    assert seen.steps == 4 * STEPS
    assert len(seen.worked) > seen.steps, "each step is a piece of work"
    assert max(seen.worked) < LONGEST, str(seen)


async def test_what_has_happened_is_let_go(people: People) -> None:
    page = await gathered(people)
    scales = await Scales.of(page)
    await page.evaluate("steps => window.crowd.hurry(steps)", 2 * LIVE)
    before = await scales.weigh()
    await page.evaluate("steps => window.crowd.hurry(steps)", 8 * LIVE)  # 32 tasks end, and as many begin
    after = await scales.weigh()
    # A node or a listener that stays for each step, or a row for each end, would be far more.
    assert after.nodes < before.nodes * 1.01, (before, after)
    assert after.listeners <= before.listeners + 3, (before, after)
    assert after.heap < before.heap * 1.1, (before, after)


async def test_an_end_moves_no_other_row(people: People) -> None:
    page = await gathered(people)
    await page.evaluate(
        """() => {
            window.moved = { came: 0, went: 0 };
            new MutationObserver((seen) => {
                for (const { addedNodes, removedNodes } of seen) {
                    window.moved.came += addedNodes.length;
                    window.moved.went += removedNodes.length;
                }
            }).observe(document.querySelector("[data-list=active]"), { childList: true });
        }"""
    )
    await page.evaluate("steps => window.crowd.hurry(steps)", LIVE)  # each a fiftieth of its way
    assert await page.evaluate("window.moved") == {"came": LIVE // STEPS_EACH, "went": LIVE // STEPS_EACH}


async def test_the_scales_show_what_stays(people: People) -> None:
    page = await people.person()
    scales = await Scales.of(page)
    before = await scales.weigh()
    await page.evaluate(
        """() => {
            window.kept = Array.from({ length: 1000 }, () => document.createElement("p"));
            for (const one of window.kept) one.addEventListener("click", () => one);
        }"""
    )
    after = await scales.weigh()
    assert after.nodes >= before.nodes + 1000
    assert after.listeners >= before.listeners + 1000
    assert after.heap > before.heap
