#!/usr/bin/env python3
"""Makes a JSON Web Token: json_web_token.py ALGORITHM KEYFILE CLAIMS. hmac for HS256, openssl's command for RS256 and ES256."""
import base64
import hashlib
import hmac
import json
import subprocess
import sys


def url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(der: bytes, at: int) -> tuple[bytes, int]:
    assert der[at] == 2
    length = der[at + 1]
    value = int.from_bytes(der[at + 2 : at + 2 + length], "big")
    return value.to_bytes(32, "big"), at + 2 + length


def sign(algorithm: str, key: str, message: bytes) -> bytes:
    if algorithm == "HS256":
        with open(key, "rb") as file:
            return hmac.new(file.read().rstrip(b"\n"), message, hashlib.sha256).digest()
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=message, capture_output=True, check=True
    ).stdout
    if algorithm == "RS256":
        return signature
    first, end = number(signature, 2)
    second, _ = number(signature, end)
    return first + second


algorithm, key, claims = sys.argv[1:]
json.loads(claims)
message = url(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + "." + url(claims.encode())
print(message + "." + url(sign(algorithm, key, message.encode())))
