# roftbench on a CPU, with the README's two commands:
#
#   docker build --tag roftbench .
#   docker run --rm roftbench              # make run
#   docker run --rm roftbench make test
#
# `--build-arg PIP_EXTRA_INDEX_URL=…` with the address of an index of torch's CPU wheels avoids several GB of CUDA
# libraries. Results are written to /opt/roftbench/results.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home roftbench \
    && install --directory --owner roftbench /opt/roftbench

WORKDIR /opt/roftbench
USER roftbench
COPY --chown=roftbench . .

ARG PIP_EXTRA_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1
RUN make setup-dev

CMD ["make", "run"]
