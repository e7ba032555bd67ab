#!/usr/bin/env python3
"""Holds templar against Bittensor's Python SDK on a test chain.

    python3 -m venv sdk && sdk/bin/pip install bittensor==11.3.0
    SUBTENSOR_ENDPOINT=ws://127.0.0.1:9944 NETUID=2 WALLET_PATH=wallets sdk/bin/python testkit/subtensor/sdk.py ./templar

The chain must have alice and bob registered on the subnet, with hotkeys "default", and take plain weights. templar commits and sets
weights as alice, and the SDK reads both; the SDK commits as bob, and templar reads it. Exit code 0 when all of it agrees.
"""
import json
import os
import subprocess
import sys

TEMPLAR = sys.argv[1]
ENDPOINT, NETUID, WALLETS = os.environ["SUBTENSOR_ENDPOINT"], int(os.environ["NETUID"]), os.environ["WALLET_PATH"]


def templar(*args):
    chain = ["--subtensor.chain_endpoint", ENDPOINT, "--netuid", str(NETUID)]
    out = subprocess.run([TEMPLAR, "chain", *args, *chain], check=True, capture_output=True, text=True)
    return out.stdout


def wallet(name):
    return ["--wallet.path", WALLETS, "--wallet.name", name, "--wallet.hotkey", "default"]


def same(what, got, want):
    print("ok   " if got == want else "WRONG", what, "" if got == want else f"{got!r}, want {want!r}")
    return got == want


def sdk_commit(client, data):
    """Commits as bob with a raw call, as the original system's call did."""
    import bittensor as bt

    call = bt.calls.Commitments.set_commitment(netuid=NETUID, info={"fields": [[{f"Raw{len(data)}": "0x" + data.hex()}]]})
    result = client.submit_call(call, bt.Wallet(name="bob", hotkey="default", path=WALLETS), signer="hotkey")
    print("     SDK:", result)


def raw(fields):
    """The bytes of a commitment's only field, in whichever form the SDK shows it."""
    while isinstance(fields, (list, tuple)) and fields:
        fields = fields[0]
    (name, value), = fields.items()
    return value if isinstance(value, str) else "0x" + bytes(value).hex(), name


def main():
    import bittensor as bt

    client = bt.SyncClient(network=ENDPOINT)
    client.connect()
    ok = True
    neurons = {n["uid"]: n for n in json.loads(templar("metagraph", "--json"))["neurons"]}
    for uid, n in neurons.items():
        ok &= same(f"uid {uid}", client.query(("SubtensorModule", "Keys"), [NETUID, uid]), n["hotkey"])
    alice = next(u for u, n in neurons.items() if n["hotkey"] == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
    bob = next(n for n in neurons.values() if n["hotkey"] == "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty")

    data = bytes(range(128))
    templar("commit", "--hex", data.hex(), *wallet("alice"))
    stored = client.query(("Commitments", "CommitmentOf"), [NETUID, neurons[alice]["hotkey"]])
    ok &= same("our commitment", raw(stored["info"]["fields"]), ("0x" + data.hex(), "Raw128"))

    templar("weights", "--set", ",".join(f"{u}={u + 1}" for u in neurons), *wallet("alice"))
    largest = max(neurons) + 1
    want = [[u, ((u + 1) * 65535 + largest // 2) // largest] for u in sorted(neurons)]
    ok &= same("our weights", [list(p) for p in client.query(("SubtensorModule", "Weights"), [NETUID, alice])], want)

    account, key, secret = "0123456789abcdef" * 2, "a1" * 16, "b2" * 32
    sdk_commit(client, (account + key + secret).encode())
    ours = [c for c in json.loads(templar("commitments", "--json")) if c["hotkey"] == bob["hotkey"]]
    ok &= same("its commitment", [(c.get("endpoint"), c.get("bucket"), c.get("access_key")) for c in ours], [(f"https://{account}.r2.cloudflarestorage.com", account, key)])
    client.close()
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
