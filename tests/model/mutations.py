"""Every rule, left out: each time the checker must find how a promise breaks. docs/model.md tells the ways in words."""

from dataclasses import dataclass
from typing import Final

from tests.model.checker import Found, search
from tests.model.scenes import SCENES
from tests.model.world import Rules

STARTS_AGAIN: Final = "a task that somebody cancelled starts again"
UNCLAIMED: Final = "work goes on whose claim is gone"
ALIVE: Final = "a worker is taken for dead that lives"
NO_END: Final = "a task never ends"
TWO_ENDS: Final = "a task has ended, and its events do not say so once"
NO_FILES: Final = "the files of a result are gone"
SAME_ATTEMPT: Final = "an attempt comes twice"
TWO_AT_ONCE: Final = "two workers work on one task"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`without`: the rules that are left out, in the scene of that name; `breaks`: the promise that is found broken first."""

    without: tuple[str, ...]
    scene: str
    breaks: str

    @property
    def name(self) -> str:
        """As the document calls it."""
        return " + ".join(self.without)

    def found(self) -> Found:
        """What the checker finds."""
        return search(SCENES[self.scene], Rules(**dict.fromkeys(self.without, False)))


def _of(scene: str, breaks: str, *without: str) -> Mutation:
    return Mutation(without, scene, breaks)


# A rule that has a second line of defence behind it is left out together with that.
MUTATIONS: Final = (
    _of("everything once", STARTS_AGAIN, "claim_checks_state"),
    _of("everything once", STARTS_AGAIN, "claim_refuses_cancelled", "reap_heeds_cancel"),
    _of("everything once", UNCLAIMED, "claim_ages_from_sending"),
    _of("everything once", UNCLAIMED, "late_claims_are_not_run"),
    _of("crowded", TWO_AT_ONCE, "claims_take_new_tokens"),
    _of("crowded", NO_END, "hints_name_no_task"),
    _of("no broker", NO_END, "polls"),
    _of("everything once", UNCLAIMED, "beats_check_claim"),
    _of("everything once", UNCLAIMED, "beats_age_from_sending"),
    _of("everything once", UNCLAIMED, "missing_claim_ends_work"),
    _of("everything once", UNCLAIMED, "fences"),
    _of("everything once", UNCLAIMED, "fence_before_lease"),
    _of("no broker", ALIVE, "hands_back"),
    _of("no broker", UNCLAIMED, "hands_back_after_end"),
    _of("everything once", UNCLAIMED, "finish_checks_claim"),
    _of("everything once", TWO_ENDS, "finish_checks_claim", "finish_checks_state"),
    _of("everything once", TWO_ENDS, "ends_with_event"),
    _of("everything once", NO_FILES, "keeps_files_of_lost_answers"),
    _of("everything once", NO_END, "retry_heeds_cancel"),
    _of("everything once", NO_END, "release_heeds_cancel"),
    _of("everything once", SAME_ATTEMPT, "release_keeps_attempt"),
    _of("everything once", UNCLAIMED, "cancel_checks_state"),
    _of("everything once", NO_END, "reaps"),
    _of("everything once", ALIVE, "reap_rechecks"),
    _of("everything once", ALIVE, "reap_waits_for_contact"),
    _of("one worker", NO_END, "reap_spares_by_claim"),
    _of("everything once", NO_END, "reap_heeds_cancel"),
)
