# syntax=docker/dockerfile:1
# Built with BuildKit or buildah: crates and compiled dependencies stay in cache mounts, so that a
# change of the source compiles this package alone.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Touched, because another branch may have filled the cache after these files were checked out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    touch build.rs src/lib.rs src/main.rs \
    && cargo build --locked --release --bin tekton-events-relay \
    && install -D target/release/tekton-events-relay /out/tekton-events-relay \
    && install -d /out/data

# Certificates of the public authorities, the C library of the build stage and user 65532: all that
# the binary needs. No shell, so nothing else can be run in a pod.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/tekton-events-relay /usr/local/bin/tekton-events-relay
COPY --from=build --chown=65532:65532 /out/data /data
ENV RELAY_DATA_DIR=/data
VOLUME /data
USER 65532:65532
EXPOSE 8080/tcp 3320/tcp 3322/udp
ENTRYPOINT ["/usr/local/bin/tekton-events-relay"]
CMD ["serve"]
