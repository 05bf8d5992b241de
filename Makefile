# make run    builds the program and shows what it does: portcullis demo
# make test   everything that must be green, with the outside programs that it needs
# make bench  every figure beside its limit
# make tools-modern   an API server of the current release, for the tests that can do without
# make soak   the long forms of the tests that take chances: crashes, random cases
# make mutants   whether tests notice a random sample of changes to the code
# make lint   what make test checks before it runs a test

.DEFAULT_GOAL := help
.PHONY: help run test lint unit doc tools tools-modern nextest bench soak mutants tidy deny

# What `make tools` has brought counts for everything here.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

run:
	cargo run --release --package portcullis -- demo

test: tools lint doc unit

tools:
	./tools/install.sh

# Optional: without it, its tests are left out, and counted as skipped.
tools-modern:
	PORTCULLIS_MODERN=1 ./tools/install.sh

# The test runner alone.
nextest:
	./tools/install.sh nextest

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings

doc:
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cargo test --workspace --doc --quiet

unit:
	[ ! -x .tools/bin/modern-apiserver ] || set -- --ignore-default-filter; \
		cargo nextest run --workspace --no-fail-fast "$$@"

tidy:
	cargo xtask tidy

# What tidy checks of dependencies, and advisories, for which it needs cargo-deny and the network.
deny:
	cargo deny check

bench:
	./tools/bench.sh

# Release build, because these run for many minutes. Only crates with tests that take chances.
soak: nextest
	PORTCULLIS_KILLS=500 PORTCULLIS_COMPARISONS=1000000 PROPTEST_CASES=2000 PORTCULLIS_FUZZ_SECONDS=120 \
		cargo nextest run --package domain --package store --package crypto --package web --package kubeapi \
		--release --no-fail-fast --profile soak
	PORTCULLIS_ODD_BODIES=72000 cargo nextest run --package server --release --no-fail-fast --profile soak \
		-E 'test(/what_is_accepted_is_served/)'

# Hours, so at low priority; it ends after PORTCULLIS_PART changes and goes on when it is called again.
MUTATED ?= domain crypto store state directory sign_in kubernetes resource_manager
mutants:
	./tools/install.sh mutants
	nice -n 15 cargo xtask mutants $(MUTATED)
