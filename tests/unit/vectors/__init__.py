"""The committed vectors, met by the hub."""
