"""What the gateways on one store share: the requests that they answer, and what each key's holder has spent.

A row of *served* is one request. While it is at work its gateway renews `lease`; a row whose lease ran out belongs to a gateway that is
gone, and whoever repeats the request may take it over. `tokens` and `money` are what was reserved, and after the end what was used.
Where the client named the request (`name`), `reply` keeps the answer, so that asking again costs nothing. *Spent* holds each holder's days.
Times are seconds since 1970 by the database's clock; days are UTC. `outthink.serve.book` reads and writes both.
"""

from __future__ import annotations

import sqlalchemy as sa

from outthink.store.columns import AnyText

SERVICE = sa.MetaData()

served = sa.Table(
    "served_requests",
    SERVICE,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("began", sa.Double, nullable=False),
    sa.Column("gateway", sa.String(64), nullable=False),
    sa.Column("lease", sa.Double, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("model", AnyText, nullable=False, default=""),
    sa.Column("run", sa.String(64), nullable=False, default=""),
    sa.Column("tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("money", sa.Double, nullable=False, default=0.0),
    sa.Column("name", sa.String(255)),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("reply", sa.LargeBinary),
    sa.UniqueConstraint("holder", "name"),
    sa.Index("served_requests_by_holder", "holder", "lease"),
    sa.Index("served_requests_by_status", "status", "lease"),
)

spent = sa.Table(
    "spent_days",
    SERVICE,
    sa.Column("holder", sa.String(64), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("requests", sa.BigInteger, nullable=False, default=0),
    sa.Column("tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("money", sa.Double, nullable=False, default=0.0),
)
"""`money` leaves out what nobody could price."""
