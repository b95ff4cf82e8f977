# For a CPU:   docker build --tag yolor_gp .
# With CUDA:   docker build --tag yolor_gp --build-arg DEVICE=cuda .
# docs/install.md says how to run it.
FROM python:3.11-slim

ARG DEVICE=cpu
# On Linux the index of Python has torch with CUDA; torch without it has an index of its own.
RUN case "$DEVICE" in \
        cpu) pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch torchvision ;; \
        cuda) pip install --no-cache-dir torch torchvision ;; \
        *) echo "DEVICE is cpu or cuda, got '$DEVICE'" >&2; exit 2 ;; \
    esac

COPY . /source
RUN pip install --no-cache-dir "/source[export]"

# Whoever runs it may write here: caches of labels, matplotlib's fonts.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["yolor-gp"]
CMD ["--help"]
