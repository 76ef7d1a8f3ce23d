#!/bin/sh
# pip with what the site gives to a build (deploy/site): wheels, so that no network is asked, or an index and its CA.
# Every file is checked against the digests of the lock whoever gave it.
set -eu
python=$1
shift
if ls /site/wheels/*.whl >/dev/null 2>&1; then
  set -- --no-index --find-links /site/wheels "$@"
fi
[ ! -f /site/pip.conf ] || export PIP_CONFIG_FILE=/site/pip.conf
[ ! -f /site/ca.crt ] || export PIP_CERT=/site/ca.crt
exec /opt/build/bin/python -m pip --python "$python" install --no-cache-dir --disable-pip-version-check \
  --only-binary :all: --no-deps --require-hashes "$@"
