"""An external witness: a process of somebody else that cosigns a log's checkpoints (C2SP tlog-witness).

It has its own key and its own memory, and knows of the hub nothing but the logs' public keys. What it says is
one thing: this is the largest tree of this log that I have seen, and it extends all that I saw before.
"""
