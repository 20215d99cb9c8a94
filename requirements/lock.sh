#!/usr/bin/env bash
# Write requirements/<group>.lock: exact versions with hashes, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
"$BIN/pip" install --quiet pip-tools
for group in demo runtime test bench fuzz checkov; do
  "$BIN/python" - "$group" > "build/$group.in" <<'PY'
import sys
import tomllib

groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]


def flat(name: str) -> list[str]:
    lines: list[str] = []
    for item in groups[name]:
        lines += flat(item["include-group"]) if isinstance(item, dict) else [item]
    return lines


print("\n".join(sorted(set(flat(sys.argv[1])))))
PY
  constraint=()
  [ "$group" = test ] && constraint=(-c requirements/demo.lock -c requirements/runtime.lock)
  [ "$group" = fuzz ] && constraint=(-c requirements/test.lock)
  "$BIN/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
    --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate --upgrade \
    "${constraint[@]}" --output-file "requirements/$group.lock" "build/$group.in"
done
