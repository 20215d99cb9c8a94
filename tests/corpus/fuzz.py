"""Let libFuzzer look for bytes that break a rule of checking.py; the corpus is where it begins.

Runs in the environment of `make fuzz`. What it found worth keeping stays in build/fuzz from run to run;
an input that breaks a rule is written there as crash-…, and `python -m tests.corpus.fuzz FILE` looks at
it again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

# Only code that is told apart by its branches can guide the search.
with atheris.instrument_imports(include=["etl_lambda"]):
    from etl_lambda import spellings
    from tests.corpus.cases import CASES
    from tests.corpus.checking import check

STATE = Path("build/fuzz")
LONGEST_BYTES = 4096
_MARKS = (
    *(b'{"', b'":"', b'","', b'"},{"', b"}\n{", b"[{", b"}]", b"\xef\xbb\xbf", b"\x1f\x8b\x08"),
    *(b"null", b"true", b"NaN", b"Infinity", b"1e999", b"-0.0", rb"\ud800", rb"\u0000", rb"\\N"),
)


def words() -> list[bytes]:
    """Return what the search may put in at once: the keys of the contract, and JSON's own marks."""
    keys = [
        key.encode()
        for name, found in vars(spellings).items()
        if name.isupper() and name != "PRODUCT"
        for key in _keys(found)
    ]
    return sorted({*keys, *_MARKS, b"0", b"1"})


def _keys(found: object) -> tuple[str, ...]:
    if isinstance(found, spellings.Spelling):
        return found.inside + found.flat
    return found if isinstance(found, tuple) else (str(found),)


def _quoted(word: bytes) -> str:
    """Return a line of a dictionary of libFuzzer's."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


def main(arguments: list[str]) -> None:
    """Look at files, or search for a number of seconds; ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    if asked.files:
        for file in asked.files:
            check(file.read_bytes())
            print(f"{file}: breaks no rule")
        return
    seeds, kept = STATE / "seeds", STATE / "kept"
    for folder in (seeds, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (seeds / case.name.replace(" ", "-")).write_bytes(case.data)
    (STATE / "words").write_text("".join(map(_quoted, words())))
    options = {
        "max_total_time": asked.seconds,
        "max_len": LONGEST_BYTES,
        "timeout": 20,
        "rss_limit_mb": 2048,
        "dict": STATE / "words",
        "artifact_prefix": f"{STATE}/",
        "print_final_stats": 1,
    }
    command = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items())]
    atheris.Setup([*command, str(kept), str(seeds)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
