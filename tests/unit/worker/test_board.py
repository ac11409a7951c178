import os

from jobdeck.worker.board import Board


def test_a_board_tells_what_was_written_through_the_same_file() -> None:
    mine = Board.create()
    theirs = Board(os.dup(mine.fd))

    theirs.begin(1, 1_700_000_000_000_000)
    assert mine.read() == (1, 0, 1_700_000_000_000_000)
    theirs.end(1)
    theirs.begin(2, 1_700_000_000_000_001)
    assert mine.read() == (2, 1, 1_700_000_000_000_001)

    mine.close()
    theirs.close()
