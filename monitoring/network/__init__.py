"""The network watch: every declared path works, and every refusal that is relied on is tried for real.

    own_path   each role, with its own certificate: is its way to every broker there, does it see only what is its?
    controls   the monitor: plaintext, no certificate, a foreign, an expired one, old TLS, rights: each must be refused
    heard      the monitor: does everybody who is declared to run report its path?

What could not be tried is `unknown`, and never counts as refused. docs/network-watch.md says what each attempt proves.
"""
