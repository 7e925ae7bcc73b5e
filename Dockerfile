# bgpmon as a container image: `docker build .`, `podman build .` or `buildah bud .`
#
# At run time it needs one capability, NET_ADMIN, and user 0 to hold it; nothing else, and no privileged mode:
#   --cap-drop ALL --cap-add NET_ADMIN, the network namespace to program (--network host, or hostNetwork: true),
#   the configuration at /etc/bgpmon/bgpmon.yaml, and writable /run/bgpmon and /var/lib/bgpmon.
# Programming another namespace than the container's own (netns: /proc/1/ns/net) also needs SYS_ADMIN for setns(2).
#
# The base may be any glibc image with Python 3.11 or newer, or a plain Debian, which gets Debian's Python.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS base
RUN command -v python3 > /dev/null || { \
        apt-get update \
        && apt-get install --yes --no-install-recommends python3 \
        && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*; \
    }

FROM base AS builder
RUN python3 -c 'import ensurepip' 2> /dev/null || { \
        apt-get update && apt-get install --yes --no-install-recommends python3-venv; \
    }
# pip's own settings, for places with a mirror: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY monitor monitor
COPY programmer programmer
RUN python3 -m venv /opt/bgpmon \
    && /opt/bgpmon/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt . \
    && /opt/bgpmon/bin/pip uninstall --yes --quiet setuptools pip \
    && find /opt/bgpmon/bin -mindepth 1 ! -name bgpmon ! -name 'python*' -delete

FROM base
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="bgpmon" \
      org.opencontainers.image.description="BGP routes into the node's kernel tables, per routing domain, under control" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=builder /opt/bgpmon /opt/bgpmon
ENV PATH=/opt/bgpmon/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 0
ENTRYPOINT ["bgpmon"]
CMD ["run", "--config", "/etc/bgpmon/bgpmon.yaml"]
