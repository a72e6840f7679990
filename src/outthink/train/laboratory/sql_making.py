"""The whole way of the SQL model: train, write the file, measure it, write the card. What `outthink train laboratory-sql` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from outthink.engines.local import Local
from outthink.train.laboratory.export import write
from outthink.train.laboratory.making import ABOUT, Took
from outthink.train.laboratory.settings import SqlTraining
from outthink.train.laboratory.sql_card import QUESTIONS, sql_accuracy, sql_card
from outthink.train.laboratory.sql_examples import sql_batches
from outthink.train.laboratory.sql_vocabulary import tokens
from outthink.train.laboratory.training import Progress, train

NAME = "laboratory-sql"
PLACES = 32
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role != 'system' %}"
    "{{ message.content + '\\n' }}{% endif %}{% endfor %}"
)
"""The model knows one kind of task, so that what a system message says of it is left out."""

SQL_ABOUT = {
    **ABOUT,
    "general.name": NAME,
    "general.description": "Text to SQL on small databases whose columns have to be found out; for the study of search.",
    "tokenizer.chat_template": TEMPLATE,
    **tokens(),
}


async def make_sql(
    settings: SqlTraining,
    folder: Path,
    *,
    report: Callable[[Progress], None],
    said: Callable[[str], None],
    questions: int = QUESTIONS,
) -> Path | None:
    """The path of the weights, with their card beside them; None when Ctrl-C ended the training (the checkpoint is in `folder`).

    Args:
        said: told what is being done after training. questions: to measure on.
    """
    took = Took(settings, report)
    network = train(settings, folder, took.report, sql_batches)
    if network is None:
        return None
    made = took.words(network)
    weights = folder / f"{NAME}.gguf"
    write(network, weights, SQL_ABOUT)
    said("measuring on held-out questions")
    engine = Local(model=str(weights), max_sequences=PLACES, retained=PLACES).open()
    try:
        found = await sql_accuracy(engine, questions=questions)
    finally:
        await engine.close()
    weights.with_suffix(".md").write_text(sql_card(settings, made, weights, found), encoding="utf-8")
    return weights
