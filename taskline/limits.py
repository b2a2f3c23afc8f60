"""The sizes that a result keeps to. What is larger is cut, with a line in the task's log."""

from typing import Final

MOST_BLOCKS: Final = 100
LONGEST_NAME: Final = 200  # characters, of a block, a column, a series, a label, an artifact
LONGEST_TEXT: Final = 20_000  # characters of Markdown
LONGEST_CELL: Final = 500  # characters
LONGEST_UNIT: Final = 30  # characters
MOST_ROWS: Final = 200
MOST_COLUMNS: Final = 50
MOST_SERIES: Final = 20
MOST_POINTS: Final = 2_000  # of a series
MOST_HEATMAP: Final = 100  # rows, and columns, of a heatmap
LONGEST_SUMMARY: Final = 200  # characters
LARGEST_VALUE: Final = 262_144  # bytes of JSON
LARGEST_TABLE: Final = 1_048_576  # bytes of JSON, all rows together
LARGEST_BLOCKS: Final = 2_097_152  # bytes of JSON, all blocks of a result together
LONGEST_LOG_TEXT: Final = 2_000  # characters of a line
LONGEST_MESSAGE: Final = 500  # characters, of progress and of an error
