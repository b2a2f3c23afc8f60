# Taskline as an image: `taskline serve`, `taskline worker` and `taskline migrate` are its commands.

FROM python:3.13-slim AS build
RUN python -m venv /opt/taskline
WORKDIR /source
COPY requirements.txt ./
RUN /opt/taskline/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY app app
COPY workers workers
COPY taskline taskline
COPY migrations migrations
COPY templates templates
COPY static static
RUN /opt/taskline/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/taskline/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
 && /opt/taskline/bin/pip uninstall --yes setuptools pip

FROM python:3.13-slim
# A volume that is mounted on one of these folders for the first time takes its owner from here.
RUN groupadd --gid 10001 taskline \
 && useradd --uid 10001 --gid taskline --no-create-home --home-dir /data --shell /usr/sbin/nologin taskline \
 && install --directory --owner taskline --group taskline \
    /data /data/tmp /secrets /secrets/taskline /secrets/postgresql /secrets/rabbitmq /secrets/redis
COPY --from=build /opt/taskline /opt/taskline
ENV PATH=/opt/taskline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TASKLINE_HOST=0.0.0.0 \
    TASKLINE_DATA_DIR=/data \
    TMPDIR=/data/tmp
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["taskline", "serve"]
