# push0, its reference prover, a NATS server and an S3 server, in one image: deploy/compose.yml runs all of its parts from it.
#
#   docker build -t push0 .

# The toolchain of rust-toolchain.toml; a test compares the two.
FROM rust:1.95.0-bookworm AS build
WORKDIR /push0
COPY . .
# Cargo goes by the times of files. Those of a checkout may be older than what was built from other contents.
RUN find crates examples fuzz provers -name '*.rs' -exec touch {} +
# Where a proxy signs what comes from the registry: --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/push0/target \
    cargo build --release --locked -p push0 -p push0-prover-chain -p push0-testbed \
    && install -D -t /out target/release/push0 target/release/push0-prover-chain target/release/push0-testbed-s3 \
    && tools/notices push0 push0-prover-chain push0-testbed > /out/THIRD-PARTY-NOTICES

# The NATS server that push0's tests run against, by version and hash.
FROM debian:bookworm-slim AS nats
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-pip
WORKDIR /push0
COPY tools/nats-server tools/wheel tools/
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    install -D -t /out "$(tools/nats-server)" \
    && install -m 644 target/tools/nats-server-*/*.dist-info/licenses/LICENSE /out/LICENSE-NATS-SERVER

FROM debian:bookworm-slim
# TLS to NATS looks for the system's authorities; nothing else is installed.
COPY --from=nats /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=nats /out/nats-server /usr/local/bin/
# Whose work is in these programs, and under which licences.
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/push0/
COPY --from=nats /out/LICENSE-NATS-SERVER /usr/share/doc/push0/
COPY --from=build /out/THIRD-PARTY-NOTICES /usr/share/doc/push0/
COPY --from=build /out/push0 /out/push0-prover-chain /out/push0-testbed-s3 /usr/local/bin/
# Volumes that are mounted here are made with this owner.
RUN install -d -o 10001 -g 10001 /var/lib/nats /var/lib/push0 /var/lib/push0/store /var/lib/push0/dispatch \
    /var/lib/push0/proofs /run/push0
USER 10001:10001
WORKDIR /var/lib/push0
CMD ["push0", "--help"]
