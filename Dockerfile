# The images that a cluster runs, from the locks alone: every file by hash, nothing from an index that a lock does not name.
#
#   docker buildx build --target service -t aegis .         the API (the default)
#   docker buildx build --target judge -t aegis-judge .     `aegis canary serve`, asked by Argo Rollouts
#   docker buildx build --target backup -t aegis-backup .   `aegis backup …`, with PostgreSQL's programs
#
# The bases are pinned by digest. The last one is Debian 12 without shell or package manager; it runs as nobody (65532).
# Two builds of one commit give the same layers if times are taken from the commit:
#   SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --output type=image,rewrite-timestamp=true …

FROM python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS tools
# makes the one folder that the services write to
WORKDIR /data/aegis
WORKDIR /build
COPY locks/ locks/
# the files are read by the same minor version of Python in the last stage, so the bytecode made here fits
RUN ["python", "-I", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", "locks/uv.txt"]

FROM tools AS service-packages
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "locks/runtime.txt"]
COPY src/ /packages/
RUN ["python", "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "/packages"]

FROM tools AS judge-packages
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "locks/canary.txt"]
COPY src/ /packages/
RUN ["python", "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "/packages"]

FROM tools AS backup-packages
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "locks/backup-check.txt"]
COPY src/ /packages/
RUN ["python", "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "/packages"]

FROM gcr.io/distroless/python3-debian12:nonroot@sha256:7d1042ce588ab97019fe95c24ffca7bc5a82ccdac572511d5e09bda4435c89c5 AS base
ENV LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=tools --chown=65532:65532 /data/ /var/lib/
COPY LICENSE /usr/share/doc/aegis/LICENSE
WORKDIR /var/lib/aegis
USER 65532:65532

FROM base AS judge
COPY --from=judge-packages /packages/ /usr/lib/python3/dist-packages/
ENTRYPOINT ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis"]
CMD ["canary", "--help"]

FROM base AS backup
COPY --from=backup-packages /packages/ /usr/lib/python3/dist-packages/
ENTRYPOINT ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis"]
CMD ["backup", "--help"]

FROM base AS service
ENV AEGIS_DATA=/var/lib/aegis AEGIS_POLICY=/etc/aegis/aegis.yml
COPY --from=service-packages /packages/ /usr/lib/python3/dist-packages/
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis_multimodal_ai_system.api"]
CMD ["--host", "0.0.0.0", "--port", "8080", "--probe-port", "8081"]
