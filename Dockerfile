# The image for every process that needs no GPU: workers of text layers, of Tesseract and of the search index, and the commands.
#
#     docker build --tag arsip .
#     docker run --init --stop-timeout 60 --env-file arsip.env arsip
#
# A tag moves when its image is rebuilt with security fixes. To pin one build for good, write its digest behind the tag, as in
# `python:3.13-slim-bookworm@sha256:...`; `docker buildx imagetools inspect python:3.13-slim-bookworm` tells it.
FROM python:3.13-slim-bookworm AS base


FROM base AS build
RUN python -m venv /opt/arsip
WORKDIR /src
COPY pyproject.toml README.md ./
COPY engines engines
COPY pipeline pipeline
COPY actors actors
COPY cli cli
COPY alembic alembic
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist . \
    && /opt/arsip/bin/pip install --no-cache-dir "$(echo /dist/arsip-*.whl)[tesseract]"


FROM base
LABEL org.opencontainers.image.title="arsip" \
    org.opencontainers.image.description="Turns folders of scans and PDFs into a searchable archive" \
    org.opencontainers.image.licenses="Apache-2.0"

# Tesseract itself is in the wheel of tesserocr; these are languages only. Debian keeps just the newest version of a package, so
# a pinned one would soon not be found.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr-eng tesseract-ocr-ind tesseract-ocr-osd \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-log-init --create-home --home-dir /var/lib/arsip arsip

COPY --from=build /opt/arsip /opt/arsip
COPY scripts/healthcheck.py /usr/local/lib/arsip/healthcheck.py

# One thread in each worker: with OpenMP's own threads, several workers are slower than with one by an order of magnitude.
ENV PATH=/opt/arsip/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_THREAD_LIMIT=1 \
    ARSIP_HOME=/var/lib/arsip

# By number, so that Kubernetes sees that it is not root.
USER 10001:10001
WORKDIR /var/lib/arsip
# The originals, where no ARSIP_BLOB_URL is set.
VOLUME /var/lib/arsip

# It shows that a worker process is there and that Postgres and Redis answer; not that pages are read. A container that runs
# another command is started with --no-healthcheck.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "/usr/local/lib/arsip/healthcheck.py"]

# The page in hand is finished first, which takes up to 40 s; Docker kills after 10 s unless --stop-timeout says otherwise.
STOPSIGNAL SIGTERM
ENTRYPOINT ["arsip"]
CMD ["worker"]
