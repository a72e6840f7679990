"""A stable name for what a recipe does: equal recipes have equal digests, whatever their key order, defaults or description.

It stands in every stored run. Every setting counts, so two recipes that differ in one setting differ in their digest.
"""

from __future__ import annotations

import hashlib

import msgspec

from outthink.recipes.recipe import Recipe

SCHEMA = 1
"""Raised when the meaning of recipes changes, so that digests of different meanings never agree."""


def digest(recipe: Recipe) -> str:
    """32 hexadecimal digits: SHA-256, cut to 128 bits, of the recipe in full as JSON with sorted keys."""
    tables = {name: table for name, table in recipe.tables().items() if name != "description"}
    canonical = msgspec.json.encode({"schema": SCHEMA, **tables}, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:32]
