"""API keys and what their holders used of what they may: to look at, never to change, and never the keys themselves."""

from __future__ import annotations

from outthink.core.markup import Markup, tag
from outthink.dash.page import Page, command, empty, facts
from outthink.dash.readers import KeyFacts, Quota, Readers
from outthink.dash.wording import brief, moment


def keys_page(readers: Readers) -> Page:
    """The page."""
    title = tag("h1", "Keys and quotas")
    if readers.keys is None:
        nothing = empty(
            "Keys belong to a gateway",
            "This dashboard looks at a store by itself. Behind `outthink serve` this page shows each key's quotas.",
        )
        return Page("Keys", "keys", (title, nothing, tag("p", command("outthink serve"), class_="centre")))
    found = readers.keys()
    if not found:
        return Page(
            "Keys",
            "keys",
            (
                title,
                empty("No keys yet", "Nobody needs one on this machine alone."),
                tag("p", command("outthink keys create NAME"), class_="centre"),
            ),
        )
    lead = tag("p", "Keys are made and revoked by the command `outthink keys`, not here.", class_="lead")
    return Page("Keys", "keys", (title, lead, tag("ul", *(_card(key) for key in found), class_="cards")))


def _card(key: KeyFacts) -> Markup:
    about = facts(
        {"Id": key.id, "Made": moment(key.created), "Opens": "everything, as an admin's key" if key.admin else ""}
    )
    return tag("li", tag("h2", key.name or key.id), about, *(_quota(one) for one in key.quotas), class_="card")


def _quota(quota: Quota) -> Markup:
    if quota.most is None:
        return tag(
            "p", tag("span", quota.name), tag("span", f"{brief(quota.used)}, no limit", class_="n"), class_="quota"
        )
    share = min(1.0, quota.used / quota.most) if quota.most else 1.0
    full = " full" if share >= 1.0 else ""
    bar = tag(
        "svg",
        tag("rect", x=0, y=0, width=share, height=1),
        viewBox="0 0 1 1",
        preserveAspectRatio="none",
        class_=f"bar{full}",
        aria_hidden="true",
    )
    return tag(
        "p",
        tag("span", quota.name),
        tag("span", f"{brief(quota.used)} of {brief(quota.most)}", class_="n"),
        bar,
        class_="quota",
    )
