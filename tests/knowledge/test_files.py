from __future__ import annotations

import threading
from pathlib import Path

import pytest

from knowledge.files import remove_folder


def test_a_folder_goes_although_last_files_are_still_written_into_it(tmp_path: Path) -> None:
    for round_ in range(20):
        folder = tmp_path / str(round_)
        folder.mkdir()
        is_begun = threading.Event()

        def write(folder: Path = folder, is_begun: threading.Event = is_begun) -> None:
            try:
                for number in range(200):
                    (folder / str(number)).write_text("x")
                    is_begun.set()
            except FileNotFoundError:
                return  # it is gone

        writer = threading.Thread(target=write)
        writer.start()
        assert is_begun.wait(10)
        remove_folder(folder)
        writer.join()
        assert not folder.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_folder(tmp_path / "none")
