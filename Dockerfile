# The image of the tasks: one static binary and the certificates of public authorities.
#   docker build -t geoflow .          (or podman, or buildah)
# Without a registry to get the bases from, see scripts/image.
FROM docker.io/library/rust:1.95-alpine AS build
# zstd, SQLite, ring and mimalloc are bundled as C.
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
# Alpine's own target links everything statically, against musl.
RUN cargo build --locked --profile dist --bin geoflow && cp target/dist/geoflow /geoflow

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /geoflow /geoflow
USER 65532:65532
ENTRYPOINT ["/geoflow"]
