"""`witness init|run`: the process of somebody else that cosigns checkpoints; knows no home and no broker."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.output import console, fail, json_line, reports_errors

app = typer.Typer(help="A witness of audit logs. / 監査ログの証人", no_args_is_help=True)

Key = Annotated[Path, typer.Option("--key", dir_okay=False, help="the witness's private key file")]
Passphrase = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="file with the passphrase; default KEY.passphrase")
]


@app.command("init")
@reports_errors
def init(
    key: Key,
    name: Annotated[str, typer.Option(help="the witness's name: an address without scheme, witness.example/w1")],
    algorithm: Annotated[str, typer.Option(help="ml-dsa-44, or ed25519 for readers that know no other")] = "ml-dsa-44",
    passphrase_file: Passphrase = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Make a witness's key; print its vkey for --witness-key and HUB_TLOG_WITNESSES. / 証人の鍵を作る"""
    from assurance.witness.key import Algorithm, create

    if algorithm not in tuple(Algorithm):
        fail("witness.algorithm", "ml-dsa-44 or ed25519", as_json=as_json, status=2)
    vkey = create(key, name, passphrase_file, Algorithm(algorithm)).cosigner().encode()
    if as_json:
        json_line({"name": name, "vkey": vkey})
    else:
        typer.echo(vkey)


@app.command("run")
@reports_errors
def run(
    key: Key,
    log_key: Annotated[
        list[Path], typer.Option(exists=True, dir_okay=False, help="a log's vkeys, from `audit key`; may be repeated")
    ],
    state: Annotated[Path | None, typer.Option(file_okay=False, help="its memory; default KEY.state")] = None,
    passphrase_file: Passphrase = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port")] = 0,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Cosign the checkpoints of these logs until Ctrl-C; one line when ready. / 証人を起動する"""
    from assurance.witness.key import load
    from assurance.witness.memory import Memory
    from assurance.witness.server import WitnessServer
    from assurance.witness.witness import Witness
    from hub.crypto.notes import SignatureType, read_keys

    logs = [each for path in log_key for each in read_keys(path.read_bytes())]
    if any(each.kind is not SignatureType.ED25519 for each in logs):
        fail(
            "witness.log-key",
            "a --log-key is not a log's",
            "`eltax-hub audit key` prints them.",
            as_json=as_json,
            status=2,
        )
    signer = load(key, passphrase_file)
    with Memory(state or key.with_name(key.name + ".state")) as memory:
        witness = Witness(signer, logs, memory, lambda: int(time.time()))
        try:
            listening = WitnessServer(witness, host, port)
        except OSError:
            fail("witness.address", f"cannot listen on {host} port {port}", "Is it taken?", as_json=as_json)
        with listening as server:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            serving = threading.Thread(target=server.serve_forever, name="witness", daemon=True)
            serving.start()
            ready = {"url": server.url, "vkey": witness.verifier.encode(), "logs": sorted({each.name for each in logs})}
            if as_json:
                json_line(ready)
            else:
                console.print(f"{ready['url']}  {ready['vkey']}", highlight=False, soft_wrap=True)
            stop.wait()
            server.shutdown()
            serving.join()
