# The pinned environment on Python's own image, or on another Debian or Ubuntu:
#   docker build --tag omnibench .
#   docker build --tag omnibench:cuda --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 .
# PyTorch's wheels bring their CUDA libraries, so that a GPU is used on either.
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Python's image has python3 already; Ubuntu's packages bring it with its venv module.
RUN apt-get update \
    && if ! command -v python3 >/dev/null; then \
         apt-get install --yes --no-install-recommends python3 python3-venv; \
       fi \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/omnibench
COPY . .
RUN make setup

# What runs is whom `docker run --user` names, in the folder that is mounted at /work.
ENV HOME=/tmp OMNIBENCH_RESULTS=/work/results OMNIBENCH_DATA=/work/data
WORKDIR /work
ENTRYPOINT ["/opt/omnibench/.venv/bin/omnibench"]
CMD ["--help"]
