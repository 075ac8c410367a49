# The images that a cluster runs, from the locks alone: every file by hash, nothing that a lock does not name. (One
# exception: `backup` takes Debian's newest libxml2 of its release, by Debian's signature.)
#
#   docker buildx build --target service -t aegis .         the API (the default)
#   docker buildx build --target judge -t aegis-judge .     `aegis canary serve`, asked by Argo Rollouts
#   docker buildx build --target backup -t aegis-backup .   `aegis backup …`, with PostgreSQL's programs
#
# `--build-arg CLOUD=-oci` adds what Oracle's cloud asks for. The bases are pinned by digest; service and judge stand on
# Debian 12 without shell or package manager. All run as nobody (65532). Two builds of one commit give the same layers
# (those of `backup` until Debian mends that library) if times are taken from the commit:
#
#   SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --output type=image,rewrite-timestamp=true …
ARG CLOUD=

FROM python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS tools
# makes the one folder that the services write to
WORKDIR /data/aegis
WORKDIR /build
COPY locks/uv.txt uv.txt
COPY scripts/finish_packages.py scripts/
RUN ["python", "-I", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", "uv.txt"]

# In each: the bytecode made here fits, since the last stage has the same minor version of Python.
FROM tools AS service-packages
ARG CLOUD
COPY locks/runtime${CLOUD}.txt packages.txt
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "packages.txt"]
COPY src/ /packages/
RUN ["python", "-I", "scripts/finish_packages.py", "/packages"]

FROM tools AS judge-packages
COPY locks/canary.txt packages.txt
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "packages.txt"]
COPY src/ /packages/
RUN ["python", "-I", "scripts/finish_packages.py", "/packages"]

FROM tools AS backup-packages
ARG CLOUD
COPY locks/backup-check${CLOUD}.txt packages.txt
RUN ["uv", "pip", "install", "--no-config", "--no-cache", "--system-certs", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "packages.txt"]
COPY src/ /packages/
RUN ["python", "-I", "scripts/finish_packages.py", "/packages"]

FROM tools AS postgresql
COPY --from=backup-packages /packages/ /packages/
COPY locks/ locks/
COPY scripts/postgresql_programs.py scripts/
ENV PYTHONPATH=/packages
RUN ["python", "scripts/postgresql_programs.py", "17", "/opt/postgresql"]

FROM gcr.io/distroless/python3-debian12:nonroot@sha256:7d1042ce588ab97019fe95c24ffca7bc5a82ccdac572511d5e09bda4435c89c5 AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=tools --chown=65532:65532 /data/ /var/lib/
COPY LICENSE /usr/share/doc/aegis/LICENSE
WORKDIR /var/lib/aegis
USER 65532:65532

FROM base AS judge
COPY --from=judge-packages /packages/ /usr/lib/python3/dist-packages/
ENTRYPOINT ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis"]
CMD ["canary", "--help"]

# PostgreSQL's server, which a drill starts, wants libraries that the base above has not, and a user with a name.
FROM python:3.11-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS backup
RUN apt-get update && apt-get install -y --no-install-recommends "libxml2=2.9.14+dfsg-1.3~deb12u*" && rm -rf /var/lib/apt/lists/*
RUN echo "aegis:x:65532:65532::/tmp:/usr/sbin/nologin" >>/etc/passwd && echo "aegis:x:65532:" >>/etc/group
ENV PATH=/opt/postgresql/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
COPY --from=backup-packages /packages/ /usr/local/lib/python3.11/site-packages/
COPY --from=postgresql /opt/postgresql/ /opt/postgresql/
COPY LICENSE /usr/share/doc/aegis/LICENSE
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-X", "utf8", "-m", "aegis"]
CMD ["backup", "--help"]

FROM base AS service
ENV AEGIS_DATA=/var/lib/aegis AEGIS_POLICY=/etc/aegis/aegis.yml
COPY --from=service-packages /packages/ /usr/lib/python3/dist-packages/
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/python3", "-I", "-X", "utf8", "-m", "aegis_multimodal_ai_system.api"]
CMD ["--host", "0.0.0.0", "--port", "8080", "--probe-port", "8081"]
