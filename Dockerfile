# syntax=docker/dockerfile:1
# Built with BuildKit or buildah: crates and compiled dependencies stay in cache mounts, so that a
# change of the source compiles this package alone.
# Tags can be moved. To build what was looked at, give the digests that `docker pull` printed:
#   --build-arg BUILDER=rust:1.95-bookworm@sha256:... --build-arg BASE=gcr.io/...@sha256:...
ARG BUILDER=rust:1.95-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot
FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# Touched, because another branch may have filled the cache after these files were checked out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    touch build.rs src/lib.rs src/main.rs \
    && cargo build --locked --profile dist --bin tekton-events-relay \
    && install -d /out/data \
    && strip --strip-debug -o /out/tekton-events-relay target/dist/tekton-events-relay \
    && objcopy --only-keep-debug target/dist/tekton-events-relay /out/tekton-events-relay.debug

# The line tables of exactly this binary, for a debugger or a profiler:
#   docker build --target debug --output type=local,dest=. .
FROM scratch AS debug
COPY --from=build /out/tekton-events-relay.debug /

# Certificates of the public authorities, the C library of the build stage and user 65532: all that
# the binary needs. No shell, so nothing else can be run in a pod.
FROM ${BASE}
COPY --from=build /out/tekton-events-relay /usr/local/bin/tekton-events-relay
COPY --from=build --chown=65532:65532 /out/data /data
ENV RELAY_DATA_DIR=/data
VOLUME /data
USER 65532:65532
EXPOSE 8080/tcp 3320/tcp 3322/udp
ENTRYPOINT ["/usr/local/bin/tekton-events-relay"]
CMD ["serve"]
