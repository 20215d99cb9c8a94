"""What the demo's shop sells: products with brand, category and price in Vietnamese dong."""

from __future__ import annotations

import dataclasses
import re
import unicodedata


@dataclasses.dataclass(frozen=True)
class Product:
    """One product, as the storefront describes it in an event."""

    id: str
    name: str
    category: str
    brand: str
    price: int  # dong
    discount_percent: int  # what the publisher puts into product.discountPrice
    weight: float  # how often it is looked at, relative to the others

    @property
    def url_path(self) -> str:
        """The path of its page."""
        return "/product/" + self.id.removeprefix("prod_").replace("_", "-")


# category | label for names | brand: (model, price in thousands of dong), …
_RANGE = {
    ("keyboard", "Bàn phím"): {
        "AULA": [("M75", 1990), ("F75 Pro", 1290), ("F99", 1590)],
        "Akko": [("5075B Plus", 1890), ("MonsGeek M1", 2490), ("3098N", 1690)],
        "Keychron": [("K2 Pro", 2890), ("V1 Max", 2390), ("Q1", 4290)],
    },
    ("mouse", "Chuột"): {
        "Logitech": [("G Pro X Superlight", 2990), ("MX Master 3S", 2490), ("G102", 390)],
        "Razer": [("Viper V3", 3490), ("DeathAdder Essential", 490)],
        "Lamzu": [("Atlantis", 2190), ("Maya X", 2690)],
    },
    ("headset", "Tai nghe"): {
        "HyperX": [("Cloud III", 2290), ("Cloud Stinger 2", 990)],
        "SteelSeries": [("Arctis Nova 5", 3290), ("Arctis Nova 1", 1290)],
        "Sony": [("WH-1000XM5", 7490), ("INZONE H3", 1690)],
    },
    ("monitor", "Màn hình"): {
        "LG": [("27GP850", 8990), ("24MR400", 2490)],
        "Dell": [("U2723QE", 13490), ("S2425H", 3290)],
        "ASUS": [("VG27AQ3A", 5990), ("PA248QV", 4990)],
    },
    ("laptop", "Máy tính xách tay"): {
        "Lenovo": [("ThinkPad E14", 18990), ("IdeaPad Slim 5", 15990)],
        "ASUS": [("Vivobook 15", 12990), ("TUF Gaming A15", 21990)],
        "Apple": [("MacBook Air M3", 25990)],
    },
    ("chair", "Ghế công thái học"): {
        "Sihoo": [("M57", 3490), ("Doro C300", 6990)],
        "Epione": [("EasyChair SE", 4290)],
    },
    ("desk", "Bàn nâng hạ"): {
        "Epione": [("SmartDesk 2", 7990)],
        "HyperWork": [("Atlas", 6490)],
    },
    ("accessory", "Phụ kiện"): {
        "Ugreen": [("Hub USB-C 6 in 1", 690), ("Sạc 65W", 590), ("Cáp USB-C 2 m", 150)],
        "Baseus": [("Giá đỡ laptop", 350), ("Đèn treo màn hình", 790)],
        "Akko": [("Keycap Tokyo", 690)],
    },
}


def catalogue() -> list[Product]:
    """Return the products, the most wanted first in each brand; the same list every time."""
    products = []
    for (category, label), brands in _RANGE.items():
        for brand, models in brands.items():
            for rank, (model, thousands) in enumerate(models):
                words = unicodedata.normalize("NFKD", f"{brand} {model}".lower().replace("đ", "d"))
                products.append(
                    Product(
                        id="prod_"
                        + "_".join(re.findall("[a-z0-9]+", re.sub("[\u0300-\u036f]", "", words))),
                        name=f"{label} {brand} {model}",
                        category=category,
                        brand=brand,
                        price=thousands * 1000,
                        discount_percent=10 if (thousands // 10) % 7 == 0 else 0,
                        # Cheap things and a brand's first model are looked at more often.
                        weight=(1 / (1 + rank)) * (2_000 / thousands) ** 0.35,
                    )
                )
    return products
