#!/bin/sh
# Apicurio Registry on loopback behind a door that asks for certificates (broker/registry_door.py): its released build
# cannot. The pinned archive is verified and unpacked at every start; data lie in /var/lib/registry.
set -eu
umask 077
exec /opt/eltax-hub/bin/python -m broker.apicurio serve /var/lib/registry \
  "${HUB_REGISTRY_LISTEN:-0.0.0.0}:${HUB_REGISTRY_PORT:-8443}" \
  /etc/registry/registry.crt /etc/registry/registry.key /etc/registry/ca.crt
