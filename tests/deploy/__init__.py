"""The containers on a real engine, where one answers."""
