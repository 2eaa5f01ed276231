# One image for every part: `burstline serve`, `work`, `emulate`, `run`. The first stage has the tools that build, the
# second only what runs, from the lock's part for it (`make lock`), as a plain user.
FROM python:3.12-slim AS build
WORKDIR /src
COPY deploy/image/build.lock deploy/image/runtime.lock ./
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --quiet --no-cache-dir --require-hashes -r build.lock \
 && python3 -m venv --without-pip /opt/burstline \
 && /opt/build/bin/pip --python /opt/burstline/bin/python install --quiet --no-cache-dir --require-hashes -r runtime.lock
COPY pyproject.toml README.md ./
COPY protos protos
COPY core core
COPY workers workers
COPY server server
COPY client client
COPY emulator emulator
RUN /opt/build/bin/pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /opt/build/bin/pip --python /opt/burstline/bin/python install --quiet --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /home/burstline burstline \
 && mkdir /data && chown burstline /data
COPY --from=build /opt/burstline /opt/burstline
ENV PATH=/opt/burstline/bin:$PATH PYTHONUNBUFFERED=1 HOME=/home/burstline
# by number: Kubernetes' runAsNonRoot cannot tell who a name is
USER 10001
WORKDIR /home/burstline
ENTRYPOINT ["burstline"]
CMD ["--help"]
