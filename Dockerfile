# One image for every process of Rapport; docker-compose.yml says which command each container runs.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never

RUN useradd --create-home --uid 10001 rapport \
    && mkdir /data \
    && chown rapport /data \
    && pip install --no-cache-dir uv==0.13.9

WORKDIR /app

# The libraries change seldom, so they are a layer of their own.
COPY pyproject.toml uv.lock LICENSE ./
RUN uv sync --locked --no-dev --no-install-project --no-cache

COPY . .
RUN uv sync --locked --no-dev --no-cache \
    && python -m compileall -q api commands consent embedded events outreach profiles recommender streams cli.py

ENV PATH="/app/.venv/bin:$PATH"
USER rapport
VOLUME /data
ENTRYPOINT ["rapport"]
CMD ["--help"]
