"""`outthink steer`, end to end: pictures, scores and a stored run; every bad input named with what to do, without a traceback."""

from __future__ import annotations

import csv
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need

need("diffusers")

from click.testing import CliRunner, Result

from outthink.cli.main import outthink
from outthink.diffusion.recorded import LEVELS, WIDEST
from outthink.store import Store
from tests.cli.running import start

PNG = b"\x89PNG\r\n\x1a\n"

REWARDS = """
import math, time

def bright(images):
    return images.flatten(1).mean(dim=1)

def nothing(images):
    return images.flatten(1).mean(dim=1) * math.nan

def table(images):
    return images.mean(dim=3)

def picky(images):
    if len(images) > 1 or float(images.mean()) < -0.39:
        raise ValueError("too dark to judge")
    return images.flatten(1).mean(dim=1)

def torn(images):
    scores = images.flatten(1).mean(dim=1)
    scores[::2] = math.nan
    return scores

def slow(images):
    time.sleep(0.4)
    return images.flatten(1).mean(dim=1)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTTHINK_STORE", str(tmp_path / "runs.sqlite"))
    (tmp_path / "rewards.py").write_text(REWARDS)
    return tmp_path


def steer(*arguments: str) -> Result:
    return CliRunner().invoke(outthink, ["steer", "--steps", "6", "--out", "out", *arguments])


def outcome(*arguments: str) -> dict[str, Any]:
    result = steer(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(*arguments: str) -> str:
    """The one message of a refusal."""
    result = steer(*arguments)
    assert result.exit_code == 1, (result.exit_code, result.stderr)
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("outthink: ")
    return result.stderr


METHODS = ("best-of-n", "beam", "step-best-of-n", "tree", "zero-order", "rollover", "rewind", "evolve")


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_it_writes_pictures_scores_and_a_run_that_opens_as_a_picture(place: Path) -> None:
    found = outcome("--reward", "class:3", "--budget", "24")
    assert found["method"] == "particle-filter"
    assert found["solver"] == "ancestral"
    assert found["denoiser_evals"] == 24
    assert found["finished"] == len(found["images"]) == 4
    scores = [image["score"] for image in found["images"]]
    assert found["images"][0]["chosen"]
    assert scores[0] == max(scores)
    for image in found["images"]:
        assert (place / "out" / image["file"]).read_bytes().startswith(PNG)
    assert (place / "out" / "sheet.png").read_bytes().startswith(PNG)
    with (place / "out" / "scores.csv").open() as file:
        assert [float(row["score"]) for row in csv.DictReader(file)] == scores
    assert json.loads((place / "out" / "result.json").read_text()) == found

    inspected = CliRunner().invoke(outthink, ["inspect", found["run"], "--picture", "tree.svg"])
    assert inspected.exit_code == 0, inspected.stderr
    assert "a picture" in inspected.stdout
    assert "--resume" not in inspected.stdout
    drawn = (place / "tree.svg").read_text()
    assert drawn.count("data:image/png;base64,") >= 8
    assert "★" in drawn


def test_the_record_keeps_thumbnails_at_few_levels_and_finished_images_whole(place: Path) -> None:
    """Beam looks at all 20 levels; only 8 of them are kept."""
    found = outcome(
        "--reward",
        "symmetry",
        "--budget",
        "40",
        "--steps",
        "20",
        "--method",
        "beam",
        "--n",
        "2",
        "--set",
        "algorithm.width=1",
    )
    with Store.open(str(place / "runs.sqlite")) as store:
        run = store.run(found["run"])
    levels = {candidate.features["level"] for candidate in run.candidates.values()}
    assert len(levels) == LEVELS == 8
    assert max(levels) == 20
    for candidate in run.candidates.values():
        assert isinstance(candidate.content, bytes)
        assert candidate.content.startswith(PNG)
    assert run.result is not None
    assert isinstance(run.result.answer, bytes)
    assert WIDEST == 128


def test_the_same_seed_gives_the_same_images(place: Path) -> None:
    one, other = (outcome("--reward", "symmetry", "--budget", "24", "--no-store", "--seed", "5") for _ in range(2))
    different = outcome("--reward", "symmetry", "--budget", "24", "--no-store", "--seed", "6")
    assert [i["score"] for i in one["images"]] == [i["score"] for i in other["images"]]
    assert [i["score"] for i in one["images"]] != [i["score"] for i in different["images"]]
    assert one["run"] == ""


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_budget(place: Path, method: str) -> None:
    found = outcome("--reward", "brightness", "--budget", "36", "--method", method, "--no-store", "--class", "1")
    assert 0 < found["denoiser_evals"] <= 36
    assert found["finished"] >= 1
    assert found["images"][0]["chosen"]


def test_a_dry_run_spends_nothing(place: Path) -> None:
    result = steer("--reward", "class:3", "--budget", "24", "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["one_image"] == 6
    assert said["denoiser_evals"] == 24
    assert said["algorithm"]["n"] == 4
    assert not (place / "out").exists()
    assert "one image: 6" in steer("--reward", "class:3", "--budget", "24", "--dry-run").stdout


def test_guidance_costs_two_evaluations(place: Path) -> None:
    said = json.loads(steer("--class", "3", "--guidance", "2", "--budget", "48", "--dry-run", "--json").stdout)
    assert said["one_image"] == 12
    assert said["reward"] == "class"


def test_a_flow_is_steered_as_well(place: Path) -> None:
    found = outcome(
        "--model", "digits-flow", "--reward", "class:3", "--budget", "24", "--solver", "flow-sde", "--no-store"
    )
    assert found["finished"] == 4


def test_a_pipeline_in_a_folder_is_steered(place: Path) -> None:
    from tests.diffusion import tiny_pipelines

    tiny_pipelines.pixels().save_pretrained(place / "pipeline")
    found = outcome("--model", "pipeline", "--reward", "brightness", "--budget", "12", "--no-store")
    assert found["finished"] == 2


def test_ctrl_c_keeps_the_best_so_far(place: Path) -> None:
    process = start(
        *("steer", "--steps", "2", "--method", "zero-order", "--reward", "rewards.py:slow", "--budget", "4000"),
        *("--out", "out"),
        cwd=place,
    )
    try:
        began = time.monotonic()
        while not (place / "out" / "scores.csv").exists() and time.monotonic() - began < 60:
            time.sleep(0.1)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "sample-0" in out
    found = json.loads((place / "out" / "result.json").read_text())
    assert found["finished"] >= 1
    assert found["best"] is not None

    inspected = CliRunner().invoke(outthink, ["inspect", "last"])
    assert f"outthink steer --resume {found['run']}" in " ".join(inspected.stdout.split())
    rest = ["steer", "--resume", found["run"], "--budget", str(found["denoiser_evals"] + 12), "--out", "out", "--json"]
    resumed = CliRunner().invoke(outthink, rest)
    assert resumed.exit_code == 0, resumed.stderr
    after = json.loads(resumed.stdout)
    assert after["run"] == found["run"]
    assert after["finished"] > found["finished"]
    assert after["best"] >= found["best"]


@pytest.mark.parametrize(
    ("method", "part", "whole"),
    [
        (("particle-filter", "--n", "6"), 20, 60),
        (("rewind", "--n", "2"), 40, 130),
        (("evolve", "--n", "3", "--set", "algorithm.elites=1"), 60, 130),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(
    place: Path, method: tuple[str, ...], part: int, whole: int
) -> None:
    how = ("--reward", "class:3", "--method", *method, "--seed", "3", "--json")
    at_once = json.loads(steer(*how, "--budget", str(whole), "--no-store").stdout)
    stopped = json.loads(steer(*how, "--budget", str(part)).stdout)
    assert (at_once["stop"], stopped["stop"]) == ("done", "budget")
    rest = ["steer", "--resume", stopped["run"], "--budget", str(whole), "--out", "again", "--json"]
    resumed = CliRunner().invoke(outthink, rest)
    assert resumed.exit_code == 0, resumed.stderr
    again = json.loads(resumed.stdout)
    assert [i["score"] for i in again["images"]] == [i["score"] for i in at_once["images"]]
    assert again["denoiser_evals"] == at_once["denoiser_evals"]
    assert again["budget"] == {"denoiser_evals": whole}
    finished = [image["file"] for image in again["images"]]
    assert finished == [image["file"] for image in at_once["images"]]


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["--model", "digits-difusion"], ["no pipeline", "digits-difusion", "model_index.json", "digits-diffusion"]),
        (["--reward", "beauty"], ["no reward", "beauty", "symmetry", "FILE.py:FUNCTION"]),
        (["--reward", "class"], ["needs a digit", "--reward class:3"]),
        (["--reward", "class:12"], ["needs a digit", "12", "class:0 to class:9"]),
        (["--reward", "symmetry:round"], ["no such kind", "round", "left-right"]),
        (["--reward", "missing.py:f"], ["cannot be used", "no such file", "FILE.py:FUNCTION"]),
        (["--reward", "rewards.py:f"], ["cannot be used", "'f' in rewards.py"]),
        (["--class", "12", "--reward", "symmetry"], ["no such class", "12", "0 to 9"]),
        (["--prompt", "a cat"], ["reads no text", "a cat", "--class 3"]),
        (["--solver", "rk45"], ["no solver", "rk45", "ancestral"]),
        (["--solver", "ddim:eta=lots"], ["not set like that", "eta=lots", "eta=NUMBER"]),
        (["--solver", "ddim:theta=1"], ["theta", "eta"]),
        (["--solver", "ddim"], ["forks", "deterministic steps", "steps that draw noise", "ancestral"]),
        (["--method", "tree", "--solver", "uni-pc"], ["forks", "deterministic steps", "best-of-n", "ancestral"]),
        (["--method", "teleport"], ["teleport", "particle-filter"]),
        (["--budget", "5"], ["does not pay for one image", "5 denoiser", "at least 6", "--budget 6"]),
        (["--budget", "evals=5"], ["NAME=NUMBER", "denoiser_evals"]),
        (["--set", "algorithm.m=3"], ["unknown setting", "algorithm.m"]),
        (
            ["--reward", "rewards.py:table", "--budget", "12"],
            ["another shape", "one number for each sample", "[2]", "Reduce over all axes"],
        ),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) and value[0].startswith("--") else "",
)
def test_bad_input_is_named_with_its_remedy(place: Path, arguments: list[str], pieces: list[str]) -> None:
    said = refused(*arguments)
    for piece in pieces:
        assert piece in said


def test_a_run_that_cannot_be_resumed_says_why(place: Path) -> None:
    model = ["--model", "scripted", "--set", "engine.otherwise=42"]
    asked = CliRunner().invoke(
        outthink, ["run", "Why?", "--method", "vote", "--n", "2", "--budget", "tokens=1", *model]
    )
    assert asked.exit_code in (0, 3), asked.stderr
    other = CliRunner().invoke(outthink, ["steer", "--resume", "last"])
    assert other.exit_code == 1
    assert "no search for images" in other.stderr
    assert "outthink run --resume" in other.stderr
    outcome("--reward", "symmetry", "--budget", "12")
    done = CliRunner().invoke(outthink, ["steer", "--resume", "last"])
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    changed = steer("--resume", "last", "--reward", "brightness")
    assert changed.exit_code == 2
    assert "cannot be changed on --resume" in changed.stderr


def test_a_folder_whose_scheduler_nobody_knows_is_named(place: Path) -> None:
    from tests.diffusion import tiny_pipelines

    tiny_pipelines.pixels().save_pretrained(place / "pipeline")
    index = place / "pipeline" / "model_index.json"
    index.write_text(index.read_text().replace("DDIMScheduler", "NoSuchScheduler"))
    said = refused("--model", "pipeline", "--reward", "brightness", "--budget", "12")
    assert "cannot be opened" in said
    assert "NoSuchScheduler" in said


def test_a_deterministic_solver_is_fine_where_nothing_branches(place: Path) -> None:
    found = outcome("--method", "best-of-n", "--solver", "ddim", "--reward", "symmetry", "--budget", "12", "--no-store")
    assert found["finished"] == 2


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_spent(place: Path) -> None:
    (place / "out").write_text("a file")
    assert "--out" in refused("--budget", "12")


def test_a_reward_without_opinion_leaves_the_images(place: Path) -> None:
    """nan is no opinion: the finished images are written, and nothing claims to be best by it."""
    result = steer("--reward", "rewards.py:nothing", "--budget", "12", "--method", "best-of-n", "--json", "--no-store")
    assert result.exit_code == 1
    for piece in (
        "judged none",
        "'rewards.py:nothing'",
        "2 of 2 finished",
        "one number for each image",
        "nan is no opinion",
    ):
        assert piece in result.stderr
    found = json.loads(result.stdout)
    assert found["finished"] == 2
    assert [image["score"] for image in found["images"]] == [None, None]
    assert (place / "out" / "sheet.png").exists()


def test_a_reward_without_opinion_on_some_images_says_on_how_many(place: Path) -> None:
    result = steer("--reward", "rewards.py:torn", "--budget", "24", "--method", "best-of-n", "--json", "--no-store")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    scores = [image["score"] for image in found["images"]]
    assert scores[2:] == [None, None]
    assert found["best"] == max(scores[:2])
    assert "no score for 2 of 4 finished images" in result.stderr
    assert "rank below all others" in result.stderr


@pytest.mark.parametrize("method", ["best-of-n", "particle-filter"])
def test_a_reply_of_the_wrong_shape_leaves_the_images(place: Path, method: str) -> None:
    """Named once, with what to do, and not once for each image and look."""
    result = steer("--reward", "rewards.py:table", "--budget", "12", "--method", method, "--json", "--no-store")
    assert result.exit_code == 1
    assert result.stderr.count("another shape than one number") == 1
    assert "Reduce over all axes" in result.stderr
    found = json.loads(result.stdout)
    assert found["finished"] == 2
    assert all((place / "out" / image["file"]).exists() for image in found["images"])


def test_a_reward_that_raises_for_one_image_loses_that_score_alone(place: Path) -> None:
    result = steer("--reward", "rewards.py:picky", "--budget", "72", "--method", "best-of-n", "--json", "--no-store")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    judged = [image["score"] for image in found["images"] if image["score"] is not None]
    assert 0 < len(judged) < 12
    assert found["finished"] == 12
    assert "too dark to judge" in result.stderr
    assert found["best"] == max(judged)
