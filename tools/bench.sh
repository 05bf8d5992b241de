#!/usr/bin/env bash
# Every benchmark of the workspace; each prints its figures with their limits, and fails when one is missed.
set -uo pipefail

cd "$(dirname "$0")/.."
failed=()
for file in crates/*/benches/*.rs; do
  crate=$(basename "$(dirname "$(dirname "$file")")")
  name=$(basename "$file" .rs)
  printf '\n== %s: %s\n' "$crate" "$name"
  cargo bench --quiet --package "$crate" --bench "$name" -- "$@" || failed+=("$crate/$name")
done
if [ "${#failed[@]}" -gt 0 ]; then
  printf '\nmissed a limit: %s\n' "${failed[*]}"
  exit 1
fi
