#!/usr/bin/env bash
# build.sh WORK RESULT: main.go beside this file, around k8s.io/apiserver from Debian's development suite, by the Go from
# there. Nothing is installed, and nothing but the packages named here is fetched, from the mirror that this system takes
# its packages from. What the suite has is what is built; the version is printed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$1 result=$2
go=1.26

# What main.go imports, directly or not.
packages=(
  golang-$go-go golang-$go-src golang-cel-cel-go-dev golang-cel-expr-dev golang-github-antlr4-go-antlr-dev
  golang-github-beorn7-perks-dev golang-github-blang-semver-dev golang-github-cenkalti-backoff-v5-dev
  golang-github-cespare-xxhash-v2-dev golang-github-davecgh-go-spew-dev golang-github-emicklei-go-restful-dev
  golang-github-evanphx-json-patch-dev golang-github-felixge-httpsnoop-dev golang-github-fsnotify-fsnotify-dev
  golang-github-fxamacker-cbor-dev golang-github-go-logr-logr-dev golang-github-go-logr-stdr-dev
  golang-github-go-openapi-jsonpointer-dev golang-github-go-openapi-jsonreference-dev
  golang-github-go-openapi-swag-dev golang-github-golang-protobuf-1-5-dev golang-github-google-gnostic-models-dev
  golang-github-google-uuid-dev golang-github-grpc-ecosystem-grpc-gateway-dev golang-github-json-iterator-go-dev
  golang-github-modern-go-concurrent-dev golang-github-modern-go-reflect2-dev golang-github-munnerz-goautoneg-dev
  golang-github-pkg-errors-dev golang-github-pmezard-go-difflib-dev golang-github-prometheus-client-golang-dev
  golang-github-prometheus-client-model-dev golang-github-prometheus-common-dev golang-github-prometheus-procfs-dev
  golang-github-spf13-cobra-dev golang-github-spf13-pflag-dev golang-github-x448-float16-dev golang-golang-x-exp-dev
  golang-golang-x-net-dev golang-golang-x-oauth2-dev golang-golang-x-sync-dev golang-golang-x-sys-dev
  golang-golang-x-term-dev golang-golang-x-text-dev golang-golang-x-time-dev golang-google-genproto-dev
  golang-google-grpc-dev golang-google-protobuf-dev golang-gopkg-inf.v0-dev golang-gopkg-yaml.v2-dev
  golang-gopkg-yaml.v3-dev golang-k8s-api-dev golang-k8s-apimachinery-dev golang-k8s-apiserver-dev
  golang-k8s-client-go-dev golang-k8s-component-base-dev golang-k8s-klog-dev golang-k8s-kube-openapi-dev
  golang-k8s-sigs-apiserver-network-proxy-dev golang-k8s-sigs-json-dev golang-k8s-sigs-randfill-dev
  golang-k8s-sigs-structured-merge-diff-v6-dev golang-k8s-sigs-yaml-dev golang-k8s-streaming-dev golang-k8s-utils-dev
  golang-opentelemetry-contrib-dev golang-opentelemetry-otel-dev golang-opentelemetry-proto-dev
)

# The first Debian mirror among the system's sources, in either of their forms; archives of security fixes have other
# names.
mirror=$(
  {
    sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | tr ' ' '\n' || true
    sed -nE 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' /etc/apt/sources.list \
      /etc/apt/sources.list.d/*.list 2>/dev/null || true
  } | grep -E '/debian/?$' | head -n 1
)
[ -n "$mirror" ] || { echo "no Debian mirror among the system's sources"; exit 1; }

mkdir -p "$work"/{debs,system,lists/partial,sources.d,own/src/modern-apiserver}
printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
  "$mirror" >"$work/sources.d/development.sources"
: >"$work/status"
options=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/sources.d" -o "Dir::State::Lists=$work/lists"
  -o "Dir::State::status=$work/status" -o APT::Sandbox::User=root -o Acquire::Languages=none)
apt-get "${options[@]}" update
(cd "$work/debs" && apt-get "${options[@]}" download "${packages[@]}")
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/system"; done
dpkg-deb -f "$work"/debs/golang-k8s-apiserver-dev_*.deb Package Version

cp "$here/main.go" "$work/own/src/modern-apiserver/"
export GOROOT="$work/system/usr/lib/go-$go" GOPATH="$work/own:$work/system/usr/share/gocode" GOCACHE="$work/gocache"
export GO111MODULE=off GOFLAGS= GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0 PATH="$GOROOT/bin:$PATH"
go build -trimpath -ldflags '-s -w' -o "$result" modern-apiserver
