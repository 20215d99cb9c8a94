"""The two shop data sets beside the project, as events; see their README for the mapping."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests import toolbox

FOLDER = toolbox.REPOSITORY.parent / "shared" / "data"
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_REES46 = {
    "view": "product_view",
    "cart": "add_to_cart_click",
    "purchase": "checkout_complete",
}
_WEBFARM = {
    "home": "home_view",
    "catalog": "category_view",
    "product": "product_view",
    "addcart": "add_to_cart_click",
    "pay_req": "checkout_start",
    "pay_res": "checkout_complete",
}


def _open(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"the sample {name} is not beside this checkout (../shared/data)")
    return path


def rees46() -> list[dict[str, Any]]:
    """Two hours and fifty minutes of a multi-category shop; its truncated last row is left out."""
    with _open("rees46_multicategory_2019-10-01_17k.csv").open(newline="") as file:
        return [
            {
                "event_id": str(uuid.uuid5(NAMESPACE, f"rees46:{number}")),
                "event_timestamp": row["event_time"].replace(" UTC", "Z"),
                "event_name": _REES46[row["event_type"]],
                "client_id": row["user_id"],
                "session_id": row["user_session"],
                "context_product_id": row["product_id"],
                "context_product_category": row["category_code"],
                "context_product_brand": row["brand"],
                "context_product_price": row["price"],
            }
            for number, row in enumerate(csv.DictReader(file))
            if row["user_session"] is not None
        ]


def webfarm() -> list[dict[str, Any]]:
    """Two years of clicks of a web shop of the nineties, a visitor's cookie being the session."""
    with _open("webfarm_giudici_clickstream_24k.csv").open(newline="") as file:
        return [
            {
                "event_id": str(uuid.uuid5(NAMESPACE, f"webfarm:{number}")),
                "event_timestamp": f"{row['Date']}T{row['Time']}Z",
                "event_name": _WEBFARM.get(row["Webpage"], row["Webpage"]),
                "client_id": row["COOKIE"],
                "session_id": row["COOKIE"],
            }
            for number, row in enumerate(csv.DictReader(file, delimiter=";"))
        ]
