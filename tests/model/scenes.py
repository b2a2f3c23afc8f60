"""Where the checks begin."""

from typing import Final

from tests.model.world import Scene

OF_PROCESSES: Final = frozenset({"die", "freeze", "cut", "database", "answers"})
ALL: Final = OF_PROCESSES | {"drain", "messages"}

SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene(name="two faults", faults=2, kinds=OF_PROCESSES, broker=False, errors=False),
        Scene(name="everything once", faults=1, kinds=ALL),
        Scene(name="two tasks", tasks=2, faults=1, kinds=OF_PROCESSES, broker=False, errors=False, cancels=False),
        Scene(name="one worker", workers=1, faults=2, kinds=ALL),
        Scene(name="no broker", faults=1, kinds=ALL, broker=False),
        Scene(name="crowded", faults=1, kinds=ALL, crowded=True, errors=False),
    )
}
