# The hub: every role, its jobs and its commands. No Java, no compiler, no pip, no root in what comes out.
# BASE needs Python 3.11 or newer with venv: the official slim image, or one made by `deploy/base` (docs/air-gapped.md).
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
COPY deploy/site/ /site/
COPY deploy/images/pip.sh deploy/locks/build.lock deploy/locks/hub.lock /work/
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/eltax-hub \
 && /work/pip.sh /opt/build/bin/python -r /work/build.lock \
 && /work/pip.sh /opt/eltax-hub/bin/python -r /work/hub.lock
COPY . /work/source/
RUN cd /work/source \
 && /opt/build/bin/python -m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /work/wheel . \
 && /opt/build/bin/python -m pip --python /opt/eltax-hub/bin/python install --quiet --no-index --no-deps /work/wheel/*.whl \
 && /opt/eltax-hub/bin/python -m compileall -q /opt/eltax-hub/lib \
 && version=$(/opt/eltax-hub/bin/python -c 'from importlib import metadata; print(metadata.version("eltax-hub"))') \
 && python3 -I deploy/sbom.py --name eltax-hub --version "$version" --lock deploy/locks/hub.lock \
      $(test ! -f /var/lib/dpkg/status || echo --dpkg /var/lib/dpkg/status) -o /work/sbom/eltax-hub.cdx.json

FROM ${BASE}
RUN echo 'hub:x:10001:10001:eltax-hub:/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'hub:x:10001:' >> /etc/group \
 && find / -xdev -perm /6000 -type f -exec chmod a-s {} + \
 && mkdir -p /var/lib/eltax-hub && chown 10001:10001 /var/lib/eltax-hub
COPY --from=build /opt/eltax-hub /opt/eltax-hub
COPY --from=build /work/sbom /usr/share/sbom
COPY deploy/images/asks.py /usr/local/lib/eltax-hub/asks.py
ENV PATH=/opt/eltax-hub/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp LC_ALL=C.UTF-8
USER 10001:10001
WORKDIR /var/lib/eltax-hub
ENTRYPOINT ["eltax-hub"]
CMD ["--help"]
