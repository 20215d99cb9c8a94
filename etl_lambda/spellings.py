"""The keys under which the raw event contract takes each column, the first that counts in front."""

from __future__ import annotations

import msgspec

INGEST = "_ingest"
EVENT_ID = ("eventId", "event_id")
EVENT_NAME = ("eventName", "event_name")
USER_ID = ("userId", "user_id")
LOGIN_STATE = ("userLoginState", "user_login_state")
IDENTITY = ("identitySource", "identity_source")
CLIENT_ID = ("clientId", "client_id")
SESSION_ID = ("sessionId", "session_id")
FIRST_VISIT = ("isFirstVisit", "is_first_visit")
TIMES = ("event_timestamp", "eventTimestamp", "timestamp")
RECEIVED = ("receivedAt", "received_at")
PRODUCTS = ("product", "context_product", "contextProduct")


class Spelling(msgspec.Struct, frozen=True):
    """The column of a product field, its keys inside a product object, and flat in the event."""

    column: str
    inside: tuple[str, ...]
    flat: tuple[str, ...]


def _spelling(name: str, *more: str) -> Spelling:
    title = "".join(word.title() for word in name.split("_"))
    camel = title[0].lower() + title[1:]
    inside = dict.fromkeys((camel, name, *more, f"product_{name}", f"product{title}"))
    flat = (f"context_product_{name}", f"contextProduct{title}")
    return Spelling(flat[0], tuple(inside), flat)


ID = _spelling("id")
NAME = _spelling("name")
CATEGORY = _spelling("category")
BRAND = _spelling("brand", "brandName", "brand_name")
PRICE = _spelling("price")
DISCOUNT = _spelling("discount_price")
URL = _spelling("url_path")
PRODUCT = (ID, NAME, CATEGORY, BRAND, PRICE, DISCOUNT, URL)
