FROM rust:1-bookworm AS builder
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The dependencies in a layer of their own: every manifest, and members with nothing in them.
COPY Cargo.toml Cargo.lock ./
COPY domain/Cargo.toml domain/
COPY persistence/Cargo.toml persistence/
COPY api/Cargo.toml api/
COPY tests/Cargo.toml tests/
COPY bench/Cargo.toml bench/
RUN mkdir domain/src persistence/src api/src tests/simulator bench/src \
 && touch domain/src/lib.rs persistence/src/lib.rs api/src/lib.rs tests/simulator/lib.rs \
 && echo 'fn main() {}' | tee api/src/main.rs bench/src/main.rs tests/main.rs \
 && cargo build --release --locked --package api --features api/tls

# Cargo goes by times: a source must be newer than the empty member it replaces.
COPY . .
RUN find domain persistence api -name '*.rs' -exec touch {} + \
 && cargo build --release --frozen --package api --features api/tls \
 && mkdir /data

# Distroless: the C library, OpenSSL for PostgreSQL over TLS, root certificates; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /src/target/release/gridwhistle /usr/local/bin/gridwhistle
# 65532 is this image's user nonroot; a fresh volume takes over the directory's owner.
COPY --from=builder --chown=65532:65532 /data /data
# What is named without a folder lies on the volume too.
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/gridwhistle"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--database", "sqlite:///data/gridwhistle.db"]
