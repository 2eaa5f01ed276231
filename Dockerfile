# One image for every part: `burstline serve`, `work`, `emulate`, `run`. Built in two stages, run by a plain user.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python3 -m venv /opt/burstline
COPY requirements.lock ./
RUN /opt/burstline/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY protos protos
COPY core core
COPY workers workers
COPY server server
COPY client client
COPY emulator emulator
RUN /opt/burstline/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /home/burstline burstline \
 && mkdir /data && chown burstline /data
COPY --from=build /opt/burstline /opt/burstline
ENV PATH=/opt/burstline/bin:$PATH PYTHONUNBUFFERED=1 HOME=/home/burstline
USER burstline
WORKDIR /home/burstline
ENTRYPOINT ["burstline"]
CMD ["--help"]
