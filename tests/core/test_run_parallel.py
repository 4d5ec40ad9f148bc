"""`run.py test`: which runs of the suite are spread over processes."""

from __future__ import annotations

import os

import pytest

import run


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize("arguments", [[], ["-q"], ["tests/nodes"], ["-k", "masks"], ["--no-header"]])
def test_the_suite_and_folders_of_it_run_in_processes(arguments: list[str]) -> None:
    assert run.in_parallel(arguments) == ["-n", "4", "--dist", "loadfile"]


@pytest.mark.parametrize("arguments", [["tests/core/test_draft.py"], ["tests/core/test_draft.py::test_a"], ["-n", "0"], ["-s"], ["--pdb"]])
def test_single_files_and_what_needs_the_terminal_do_not(arguments: list[str]) -> None:
    assert run.in_parallel(arguments) == []


def test_on_one_core_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert run.in_parallel([]) == []
