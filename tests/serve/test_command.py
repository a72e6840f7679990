"""`outthink serve` as a process: it serves what its file says, and a signal ends it in order, with everything stored."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import openai

from outthink.store import Store

PROGRAM = "from outthink.cli.main import main; main()"
RECIPES = """
[models.small]
type = "scripted"
otherwise = "forty-two"
[recipes.careful]
algorithm = { type = "vote", n = 3 }
"""


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    file, where = tmp_path / "recipes.toml", tmp_path / "runs.sqlite"
    file.write_text(RECIPES)
    words = [sys.executable, "-c", PROGRAM, "serve", "--recipes", str(file), "--port", "0", "--store", str(where)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = next(line for line in process.stderr if "serving" in line).split()[-1]
            with openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=30) as client:
                messages = [{"role": "user", "content": "What is six times seven?"}]
                said = [
                    client.chat.completions.create(model=name, messages=messages).choices[0].message.content  # type: ignore[arg-type]
                    for name in ("small", "careful", "best-of-n@small")
                ]
            process.send_signal(signal.SIGTERM)
            log = process.stderr.read()
            assert process.wait(20) == 0
        finally:
            process.kill()  # whatever broke: nobody waits for a server that was never told to end
    assert said == ["forty-two"] * 3
    assert "six times seven" not in log
    with Store.open(where) as store:
        assert [(line.method, line.status) for line in store.runs()] == [
            ("best-of-n", "ended"),
            ("vote", "ended"),
            ("direct", "ended"),
        ]


def test_who_names_a_file_of_keys_has_them_asked_for(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    words = [sys.executable, "-c", PROGRAM, "serve", "--no-store", "--port", "0", "--keys", str(keys)]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "API keys, and there are none" in refused.stderr
    assert "Traceback" not in refused.stderr
