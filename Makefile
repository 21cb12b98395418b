# `make` lists what can be asked for. Cargo is always given the whole workspace:
# a member built by itself gets other features, and its dependencies are compiled again.

CARGO ?= cargo
# For example --locked.
CARGO_FLAGS ?=
REDOCLY = REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true npx --yes @redocly/cli@2.54.3

.DEFAULT_GOAL := help
.PHONY: help build demo demo-once test check openapi linter lint-openapi matrices bench image

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## the debug binary, target/debug/gridwhistle
	$(CARGO) build --workspace --bins $(CARGO_FLAGS)

demo: build ## a server with a demonstration city in it, until interrupted
	target/debug/gridwhistle demo

demo-once: build ## the demonstration once through, then it ends
	target/debug/gridwhistle demo --once

test: build ## the whole suite, each story on SQLite and on PostgreSQL
	scripts/postgres.sh run $(CARGO) test --workspace $(CARGO_FLAGS)

check: ## formatting, lints and documentation, warnings refused
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps $(CARGO_FLAGS)

openapi: build ## writes openapi/openapi.json from the code
	target/debug/gridwhistle openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

lint-openapi: ## lints openapi/openapi.json (needs npx of Node.js 20.19 or newer)
	$(REDOCLY) lint --config openapi/redocly.yaml openapi/openapi.json

# Whether the linter can be run here.
linter:
	$(REDOCLY) --version

matrices: build ## rewrites the committed matrices and other snapshots; review the diff
	UPDATE=1 scripts/postgres.sh run $(CARGO) test --workspace $(CARGO_FLAGS)

bench: ## measures the budgets, in a release build with a PostgreSQL of its own
	$(CARGO) build --release --workspace $(CARGO_FLAGS)
	scripts/postgres.sh run target/release/bench

image: ## the container image gridwhistle
	docker build --tag gridwhistle .
