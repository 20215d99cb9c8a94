#!/usr/bin/env bash
# Check the style of Python, CloudFormation, YAML, Ansible, SQL, R and shell; every check runs, then one verdict.
set -uo pipefail
cd "$(dirname "$0")"
bin=${BIN:-.venv/bin}
failed=()
check() {
  local name=$1
  shift
  if ! output=$("$@" 2>&1); then
    printf '== %s\n%s\n' "$name" "$output"
    failed+=("$name")
  fi
}
check ruff "$bin/ruff" check .
check format "$bin/ruff" format --check .
check mypy "$bin/mypy" --no-error-summary local_aws etl_lambda demo tests
# Not the lookups: their base class, Ansible's, has no types.
check "mypy of playbooks and roles" env MYPYPATH=roles/private_apt/files "$bin/mypy" --no-error-summary \
  playbooks/files roles/private_apt/files/private_apt_repository roles/*/filter_plugins
for script in setup.sh lint.sh .ci/run requirements/lock.sh; do check "$script" bash -n "$script"; done
check cfn-lint "$bin/cfn-lint" cloudformation/*.yaml
# Nothing is asked of its maker's service: neither keys nor hosts of it are here.
check checkov build/venv-checkov/bin/checkov --directory cloudformation --framework cloudformation --compact --quiet --skip-download
check yamllint "$bin/yamllint" --strict cloudformation playbooks roles inventory demo tests .config .pre-commit-config.yaml
# An inventory of its own, since the project's asks AWS. Not "localhost,": read as a list of paths, its
# second one is this directory with all of build/ in it.
check ansible-lint env ANSIBLE_INVENTORY=inventory/settings.yml PATH="$PWD/$bin:$PATH" "$bin/ansible-lint" --offline --strict -q playbooks roles tests/molecule
check sqlfluff "$bin/sqlfluff" lint --templater raw --disable-progress-bar -q warehouse
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
  check lintr "$bin/python" -m tests.toolbox lintr
else
  echo "lint: lintr was left out, it needs root and mmdebstrap"
fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "lint: not clean: ${failed[*]}" >&2
  exit 1
fi
echo "lint: clean"
